package io.sessionenforcer;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Server-sent events out of the bytes of a stream, as they come (HTML Living Standard §9.2.6). Pure. */
final class ServerSentEvents {

    /** {@code data} is empty for what only moves the {@code id} on; {@code id} is null where none was given. */
    record Event(String name, String data, String id) {}

    private final CharsetDecoder decoder = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private ByteBuffer undecoded = ByteBuffer.allocate(0);
    private final StringBuilder line = new StringBuilder();
    private String name = "";
    private final List<String> data = new ArrayList<>();
    private String id;

    /** The events that are complete with this part. */
    List<Event> feed(ByteBuffer part) {
        List<Event> events = new ArrayList<>();
        for (char one : decoded(part).toString().toCharArray()) {
            if (one != '\n') {
                line.append(one);
                continue;
            }
            if (!line.isEmpty() && line.charAt(line.length() - 1) == '\r') {
                line.setLength(line.length() - 1);
            }
            if (line.isEmpty()) {
                dispatch(events);
            } else {
                field(line.toString());
            }
            line.setLength(0);
        }
        return events;
    }

    /** A character may be cut between two parts: its first bytes wait for the others. */
    private CharBuffer decoded(ByteBuffer part) {
        ByteBuffer bytes = ByteBuffer.allocate(undecoded.remaining() + part.remaining()).put(undecoded).put(part).flip();
        CharBuffer chars = CharBuffer.allocate(bytes.remaining() + 1);
        decoder.decode(bytes, chars, false);
        undecoded = bytes;
        return chars.flip();
    }

    private void field(String text) {
        int colon = text.indexOf(':');
        String field = colon < 0 ? text : text.substring(0, colon);
        String value = colon < 0 ? "" : text.substring(colon + 1);
        value = value.startsWith(" ") ? value.substring(1) : value;
        switch (field) {
            case "event" -> name = value;
            case "data" -> data.add(value);
            case "id" -> id = value.indexOf('\0') < 0 ? value : id;
            default -> { } // a comment, or a field that is not ours
        }
    }

    private void dispatch(List<Event> events) {
        if (!data.isEmpty() || id != null) {
            events.add(new Event(name, String.join("\n", data), id));
        }
        name = "";
        data.clear();
        id = null;
    }
}
