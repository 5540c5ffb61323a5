package notebook;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** A small site with Spring Security, kept to one live session per user by Enforcer. README.md says how to run it. */
@SpringBootApplication
public class Notebook {

    public static void main(String[] arguments) {
        SpringApplication.run(Notebook.class, arguments);
    }
}
