package io.sessionenforcer;

/**
 * Fresh tickets of a live session.
 *
 * @param ticketExpiresIn seconds; null: never
 * @param elevatedTicket null unless asked for
 * @param elevatedExpiresIn seconds; null unless asked for
 */
public record Tickets(
        String ticket, String proxyTicket, Double ticketExpiresIn, String elevatedTicket, Double elevatedExpiresIn) {}
