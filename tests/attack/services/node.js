// A Node server that writes down every request it thinks it got.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");

const write = (line) => fs.appendFileSync(process.env.REQUESTS_LOG, JSON.stringify(line) + "\n");

const server = http.createServer((request, response) => {
  const hash = crypto.createHash("sha256");
  let length = 0;
  let isEnded = false;
  const end = (whole) => {
    if (isEnded) return;
    isEnded = true;
    const names = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      names.push([request.rawHeaders[at], request.rawHeaders[at + 1]]);
    }
    const { method, url: target } = request;
    write({ at: "end", method, target, length, sha256: hash.digest("hex"), names, whole });
  };
  write({ at: "begin" });
  request.on("data", (piece) => { length += piece.length; hash.update(piece); });
  request.on("error", () => end(false));
  request.on("close", () => end(false));
  request.on("end", () => {
    end(true);
    const body = `${request.method} ${request.url} HTTP/1.1`;
    response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1");
