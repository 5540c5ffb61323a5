package io.sessionenforcer.spring;

import java.security.Principal;
import org.springframework.security.core.AuthenticatedPrincipal;
import org.springframework.security.core.userdetails.UserDetails;

/** The room of a user: one name, whichever way the user logs in. Declare a bean to have another than the user's name. */
@FunctionalInterface
public interface RoomNames {

    /** @param principal as {@code Authentication.getPrincipal()} has it */
    String roomOf(Object principal);

    /** The name, as {@code Authentication.getName()} has it. */
    static String byName(Object principal) {
        if (principal instanceof UserDetails user) {
            return user.getUsername();
        }
        if (principal instanceof AuthenticatedPrincipal user) {
            return user.getName();
        }
        return principal instanceof Principal user ? user.getName() : String.valueOf(principal);
    }
}
