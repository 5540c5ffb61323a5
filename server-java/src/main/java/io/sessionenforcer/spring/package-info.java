/** Spring Boot 3 with Spring Security, for servlets: what logs in and out there does so at Enforcer, by itself. */
package io.sessionenforcer.spring;
