package io.sessionenforcer.spring;

import java.util.Set;
import org.springframework.security.web.csrf.CsrfToken;
import org.thymeleaf.context.ITemplateContext;
import org.thymeleaf.context.IWebContext;
import org.thymeleaf.dialect.AbstractProcessorDialect;
import org.thymeleaf.engine.AttributeName;
import org.thymeleaf.model.IProcessableElementTag;
import org.thymeleaf.processor.IProcessor;
import org.thymeleaf.processor.element.AbstractAttributeTagProcessor;
import org.thymeleaf.processor.element.IElementTagStructureHandler;
import org.thymeleaf.standard.processor.StandardXmlNsTagProcessor;
import org.thymeleaf.templatemode.TemplateMode;
import org.thymeleaf.web.IWebExchange;

/**
 * {@code <script enforcer:guard data-logout-url="/logout" data-login-url="/login"></script>}: the script line of the browser
 * client; nothing while nobody is logged in. Other attributes stay as they are. The log-out of the page carries Spring
 * Security's token against cross-site requests.
 */
public class SessionGuardDialect extends AbstractProcessorDialect {

    private static final String PREFIX = "enforcer";
    private static final int AFTER_THYMELEAFS = 10_000;

    private final String url;

    /** @param url where browsers find Enforcer */
    public SessionGuardDialect(String url) {
        super("Enforcer", PREFIX, AFTER_THYMELEAFS);
        this.url = url;
    }

    @Override
    public Set<IProcessor> getProcessors(String prefix) {
        return Set.of(new Guard(prefix, url), new StandardXmlNsTagProcessor(TemplateMode.HTML, prefix));
    }

    private static final class Guard extends AbstractAttributeTagProcessor {

        private final String url;

        Guard(String prefix, String url) {
            super(TemplateMode.HTML, prefix, "script", false, "guard", true, AFTER_THYMELEAFS, true);
            this.url = url;
        }

        @Override
        protected void doProcess(
                ITemplateContext context, IProcessableElementTag tag, AttributeName name, String value, IElementTagStructureHandler element) {
            IWebExchange exchange = context instanceof IWebContext web ? web.getExchange() : null;
            HeldSession held = held(exchange);
            if (held == null) {
                element.removeElement();
                return;
            }
            element.setAttribute("src", url + "/client/session-guard.js");
            element.setAttribute("defer", "defer");
            element.setAttribute("data-url", url);
            element.setAttribute("data-ticket", held.ticket());
            if (tag.hasAttribute("data-logout-url") && exchange.getAttributeValue(CsrfToken.class.getName()) instanceof CsrfToken csrf) {
                element.setAttribute("data-csrf-header", csrf.getHeaderName());
                element.setAttribute("data-csrf-token", csrf.getToken());
            }
        }

        private static HeldSession held(IWebExchange exchange) {
            boolean has = exchange != null && exchange.getSession() != null && exchange.getSession().exists();
            return has && exchange.getSession().getAttributeValue(BrowserSessions.KEPT) instanceof HeldSession held ? held : null;
        }
    }
}
