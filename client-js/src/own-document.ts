/**
 * The document, by its own members alone: `<img name="hidden">` or `<form name="addEventListener">` in the page would else
 * stand in their place (HTML, named access on the document).
 */
export const ownDocument = new Proxy({} as Document, {
  get(_target, name) {
    const member: unknown = Reflect.get(Document.prototype, name, document);
    return typeof member === "function" ? (member.bind(document) as unknown) : member;
  },
});
