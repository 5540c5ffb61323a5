package io.sessionenforcer.spring;

/** An event of the application: ends may have been missed. Ask {@code LiveSessions} again for whoever holds a socket of yours. */
public record EndsMissed() {}
