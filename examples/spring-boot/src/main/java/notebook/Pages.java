package notebook;

import io.sessionenforcer.spring.BrowserSessions;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import java.security.Principal;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.springframework.stereotype.Controller;
import org.springframework.ui.Model;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.ModelAttribute;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;

/** The pages. Notes are kept in memory. */
@Controller
class Pages {

    private static final int LONGEST = 200;
    private static final Map<String, String> WHY = Map.of(
            "displaced", "You were logged out because you have logged in somewhere else.",
            "idle", "You were logged out because you were inactive.",
            "logout_everywhere", "You were logged out because you have logged out everywhere.",
            "admin", "An administrator has ended your session.");

    private final Map<String, List<String>> notes = new ConcurrentHashMap<>();
    private final BrowserSessions sessions;

    Pages(BrowserSessions sessions) {
        this.sessions = sessions;
    }

    @ModelAttribute("user")
    String user(Principal user) {
        return user == null ? null : user.getName();
    }

    @GetMapping("/")
    String home(Principal user, Model model) {
        model.addAttribute("notes", notes.getOrDefault(user.getName(), List.of()));
        return "home";
    }

    @PostMapping("/")
    String write(Principal user, @RequestParam String text) {
        String note = text.strip();
        if (!note.isEmpty() && note.length() <= LONGEST) {
            notes.computeIfAbsent(user.getName(), name -> new CopyOnWriteArrayList<>()).add(note);
        }
        return "redirect:/";
    }

    @GetMapping("/login")
    String login() {
        return "login";
    }

    @PostMapping("/logout-everywhere")
    String logOutEverywhere(HttpServletRequest request) throws ServletException {
        sessions.logOutEverywhere(request);
        return "redirect:/goodbye";
    }

    @GetMapping("/goodbye")
    String goodbye(@RequestParam(required = false) String ended, Model model) {
        model.addAttribute("why", ended == null ? null : WHY.get(ended));
        return "goodbye";
    }
}
