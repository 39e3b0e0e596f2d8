#include "engines/blob/s3/address.h"

#include <algorithm>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/error.h"

namespace spaktok::blob::s3 {

namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw Error(
        ErrorCode::invalid_argument,
        "The blob engine's URL must be s3://ACCESS_KEY:SECRET_KEY@BUCKET/PREFIX?endpoint=…&region=…: " + what,
        {.field = "blob"});
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, as far as it keeps a name
// from being anything else in a URL.
bool is_bucket_name(std::string_view name) {
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    };
    return name.size() >= 3 && name.size() <= 63 && std::ranges::all_of(name, is_allowed) &&
           name.front() != '.' && name.front() != '-';
}

// S3 takes names of 1,024 bytes, and a key is 255 of them at most.
constexpr std::size_t prefix_bytes_max = 512;

std::string read_prefix(std::string prefix) {
    const auto first = prefix.find_first_not_of('/');
    if (first == std::string::npos) return "";
    prefix.erase(0, first);
    while (prefix.ends_with('/'))
        prefix.pop_back();
    if (prefix.size() > prefix_bytes_max) refuse("the prefix is too long.");
    return prefix + "/";
}

struct Parameters {
    std::string endpoint;
    std::string region = "us-east-1";
    std::string style;
};

Parameters read_parameters(const boost::urls::url_view& url) {
    Parameters found;
    for (const auto& parameter : url.params()) {
        if (parameter.key == "endpoint") {
            found.endpoint = parameter.value;
        } else if (parameter.key == "region") {
            found.region = parameter.value;
        } else if (parameter.key == "style") {
            found.style = parameter.value;
        } else {
            refuse("there is no parameter `" + std::string(parameter.key) + "`.");
        }
    }
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    if (found.region.empty() || !std::ranges::all_of(found.region, is_allowed))
        refuse("what region is that?");
    if (found.style.empty()) found.style = found.endpoint.empty() ? "virtual" : "path";
    if (found.style != "path" && found.style != "virtual") refuse("style is `path` or `virtual`.");
    if (found.endpoint.empty()) found.endpoint = "https://s3." + found.region + ".amazonaws.com";
    return found;
}

void read_endpoint(const std::string& text, Address& address) {
    const auto endpoint = boost::urls::parse_uri(text);
    const bool is_web =
        endpoint.has_value() && (endpoint->scheme() == "http" || endpoint->scheme() == "https");
    if (!is_web || endpoint->encoded_host().empty() || endpoint->has_userinfo() || endpoint->has_query() ||
        endpoint->has_fragment() || (!endpoint->encoded_path().empty() && endpoint->encoded_path() != "/")) {
        refuse("endpoint is an origin such as https://s3.example.org:9000.");
    }
    address.scheme = std::string(endpoint->scheme());
    address.host = std::string(endpoint->encoded_host());
    const std::string_view usual_port = address.scheme == "http" ? "80" : "443";
    const std::string_view port = endpoint->port();
    if (!port.empty() && port != usual_port) address.host += ":" + std::string(port);
}

Credentials read_credentials(const boost::urls::url_view& url, const Environment& environment) {
    if (url.has_userinfo()) return {.access_key = url.user(), .secret_key = url.password()};
    return {.access_key = environment("AWS_ACCESS_KEY_ID").value_or(""),
            .secret_key = environment("AWS_SECRET_ACCESS_KEY").value_or("")};
}

}  // namespace

Address parse_address(const std::string& text, const Environment& environment) {
    const auto url = boost::urls::parse_uri(text);
    if (!url.has_value() || url->scheme() != "s3")
        refuse("it is not a URL; write what is special in one as %XX, such as %2F for a / in a key.");
    if (url->has_port() || url->has_fragment())
        refuse("a port belongs to `endpoint`, and in a key / is written %2F, # is %23.");
    Address address;
    address.bucket = url->host();
    if (!is_bucket_name(address.bucket)) refuse("a bucket's name has 3 to 63 of a-z, 0-9, . and -.");
    address.prefix = read_prefix(url->path());
    auto parameters = read_parameters(*url);
    read_endpoint(parameters.endpoint, address);
    address.region = std::move(parameters.region);
    if (parameters.style == "path") {
        address.root = "/" + address.bucket;
    } else {
        address.host = address.bucket + "." + address.host;
    }
    address.credentials = read_credentials(*url, environment);
    if (address.credentials.access_key.empty() || address.credentials.secret_key.empty())
        refuse("keys are missing, in it or in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.");
    return address;
}

}  // namespace spaktok::blob::s3
