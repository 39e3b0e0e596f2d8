// From a handler's Response to bytes: conditional requests, compression, security headers, the head. No I/O
// here.
#pragma once

#include <string>
#include <string_view>

#include "http/output.h"
#include "http/request.h"

namespace spaktok::http {

// What the server adds to a handler's answer, before it is written:
// - 304 where the request's If-None-Match has the response's ETag (RFC 9110, 13.1.2), the whole instead of a
// part where
//   If-Range has another one (13.1.5);
// - gzip of text from 1 KiB on, where it is accepted and the handler set no encoding.
void finish_response(const Request& request, Response& response);

struct HeadOptions {
    std::string_view date;  // IMF-fixdate
    std::string_view request_id;
    bool keep_alive = true;
    bool http_1_1 = true;
    bool omit_body = false;  // HEAD: the head is that of GET
};
// Appends head and body.
void write_response(Output& output, Response&& response, const HeadOptions& options);

std::string_view reason_phrase(unsigned status);
// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string imf_fixdate(std::chrono::sys_seconds at);

}  // namespace spaktok::http
