package io.sessionenforcer.spring;

import jakarta.servlet.http.HttpServletRequest;
import java.util.Map;

/** What a log-in asks for itself, such as {@code Map.of("slot", "staff")}. Declare a bean to ask for anything. */
@FunctionalInterface
public interface LoginTerms {

    /** Members of {@code POST /v1/sessions}; {@code principal} as {@code Authentication.getPrincipal()} has it. */
    Map<String, ?> of(HttpServletRequest request, Object principal);
}
