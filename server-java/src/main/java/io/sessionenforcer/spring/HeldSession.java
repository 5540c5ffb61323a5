package io.sessionenforcer.spring;

import java.io.Serializable;

/**
 * What is kept of a log-in in the {@code HttpSession}, under {@link BrowserSessions#KEPT}.
 *
 * @param ticket for the page's script line
 */
public record HeldSession(String room, String session, String ticket) implements Serializable {}
