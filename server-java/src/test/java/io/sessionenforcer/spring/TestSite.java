package io.sessionenforcer.spring;

import io.sessionenforcer.Ended;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import java.security.Principal;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.core.annotation.Order;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.WebAttributes;
import org.springframework.stereotype.Controller;
import org.springframework.ui.Model;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.ResponseBody;

/** Two filter chains: pages with a form, and "remember me"; and an interface by HTTP Basic. */
@SpringBootConfiguration
@EnableAutoConfiguration
@Controller
class TestSite {

    final List<Ended> ends = new CopyOnWriteArrayList<>();

    @Bean
    static UserDetailsService users() {
        return name -> User.withUsername(name).password("{noop}demo").build();
    }

    @Bean
    static LoginTerms terms() {
        return (request, principal) -> RoomNames.byName(principal).startsWith("careful") ? Map.of("policy", "reject") : Map.of();
    }

    @Bean
    @Order(1)
    static SecurityFilterChain basic(HttpSecurity http) throws Exception {
        return http.securityMatcher("/api/**")
                .authorizeHttpRequests(all -> all.anyRequest().authenticated())
                .httpBasic(Customizer.withDefaults())
                .build();
    }

    @Bean
    static SecurityFilterChain pages(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(all -> all.requestMatchers("/open/**").permitAll().anyRequest().authenticated())
                .formLogin(Customizer.withDefaults())
                .rememberMe(remember -> remember.key("test"))
                .build();
    }

    private final BrowserSessions sessions;

    TestSite(BrowserSessions sessions) {
        this.sessions = sessions;
    }

    @EventListener
    void ended(Ended end) {
        ends.add(end);
    }

    @GetMapping("/")
    String home(Model model, Principal user) {
        model.addAttribute("user", user.getName());
        return "home";
    }

    @GetMapping("/open/home")
    String open(Model model) {
        model.addAttribute("user", "anybody");
        return "home";
    }

    @GetMapping({"/session", "/api/session"})
    @ResponseBody
    String session(HttpServletRequest request) {
        return sessions.held(request).map(HeldSession::session).orElse("none");
    }

    /** What a log-in page of one's own shows. */
    @GetMapping("/open/problem")
    @ResponseBody
    String problem(HttpSession session) {
        return ((Exception) session.getAttribute(WebAttributes.AUTHENTICATION_EXCEPTION)).getMessage();
    }

    @GetMapping("/before-roll-out")
    @ResponseBody
    String beforeRollOut(HttpSession session) {
        session.removeAttribute(BrowserSessions.KEPT);
        return "";
    }

    @GetMapping("/everywhere")
    @ResponseBody
    String everywhere(HttpServletRequest request) throws ServletException {
        sessions.logOutEverywhere(request);
        return "";
    }

    @GetMapping("/password")
    @ResponseBody
    String password(HttpServletRequest request) {
        sessions.passwordChanged(request);
        return "";
    }
}
