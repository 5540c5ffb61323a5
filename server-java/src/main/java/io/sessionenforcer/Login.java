package io.sessionenforcer;

import java.util.List;

/**
 * A login that was admitted.
 *
 * @param session its id: keep it in the application's session
 * @param ticket for the page's script line
 * @param proxyTicket for a cookie, where a reverse proxy asks
 * @param created whether the session is new; false where a live one was claimed again
 * @param displaced the sessions that this login ended
 */
public record Login(String session, String room, String ticket, String proxyTicket, boolean created, List<String> displaced) {

    public Login {
        displaced = displaced == null ? List.of() : List.copyOf(displaced);
    }
}
