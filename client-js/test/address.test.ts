import assert from "node:assert/strict";
import { it } from "node:test";
import { safeTarget, serverOf, socketAddress } from "../src/address.ts";

it("finds the socket under the server's own path", () => {
  assert.equal(socketAddress("https://e.example/", "/socket.io/"), "wss://e.example/socket.io/");
  assert.equal(socketAddress("http://localhost:8080", "socket.io/"), "ws://localhost:8080/socket.io/");
  assert.equal(socketAddress("https://e.example/enforcer/", "/socket.io/"), "wss://e.example/enforcer/socket.io/");
  assert.equal(socketAddress("https://e.example/?x=1#y", "/s/"), "wss://e.example/s/");
});

it("takes the server from where the script came from", () => {
  assert.equal(serverOf("https://e.example/client/"), "https://e.example");
  assert.equal(serverOf("https://e.example/sub/client/"), "https://e.example/sub");
  assert.equal(serverOf("https://cdn.example/js/"), "https://cdn.example/js");
});

it("navigates to http and https only", () => {
  const base = "https://app.example/account/";
  assert.equal(safeTarget("/login", base), "https://app.example/login");
  assert.equal(safeTarget("../bye?x=1", base), "https://app.example/bye?x=1");
  assert.equal(safeTarget("http://idp.example/logout", base), "http://idp.example/logout");
  for (const target of ["javascript:alert(1)", " java\nscript:alert(1)", "data:text/html,x", "blob:https://app.example/1", "vbscript:x", "http://"]) {
    assert.equal(safeTarget(target, base), null, target);
  }
});
