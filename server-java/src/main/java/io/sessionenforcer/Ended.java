package io.sessionenforcer;

/**
 * An end that the stream told of.
 *
 * @param reason such as {@code displaced} or {@code logout}
 * @param at ISO 8601 UTC
 */
public record Ended(String session, String room, String reason, String at) {}
