-- Asks Enforcer about a request, for HAProxy 2.6 or newer. The configuration acts on what it finds:
-- txn.enforcer_status (200, 401, or 503 for everything else), txn.enforcer_redirect, txn.enforcer_session, _room, _slot.

local URL = os.getenv("ENFORCER_URL") .. "/forward-auth"
local TOLD = { "session", "room", "slot", "redirect" }

core.register_action("ask_enforcer", { "http-req" }, function(txn)
    local sent = txn.http:req_get_headers()
    local headers = { ["x-forwarded-for"] = { txn.sf:src() } }
    for _, name in ipairs({ "host", "cookie", "authorization" }) do
        if sent[name] then
            headers[name] = {}
            for n = 0, #sent[name] do -- HAProxy counts from 0
                table.insert(headers[name], sent[name][n])
            end
        end
    end
    local answer = core.httpclient():get({ url = URL, headers = headers, timeout = 2000 })
    local status = answer and answer.status
    txn:set_var("txn.enforcer_status", (status == 200 or status == 401) and status or 503)
    for _, name in ipairs(TOLD) do
        local value = answer and answer.headers and answer.headers["x-enforcer-" .. name]
        txn:set_var("txn.enforcer_" .. name, value and value[0] or "")
    end
end)
