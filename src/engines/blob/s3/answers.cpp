#include "engines/blob/s3/answers.h"

#include <sstream>

#include <pugixml.hpp>

namespace spaktok::blob::s3 {

namespace {

// pugixml takes no entities but XML's own five and numbers, so that nothing grows in it; the client limits
// the size of an answer.
pugi::xml_node root_of(pugi::xml_document& document, std::string_view xml) {
    if (!document.load_buffer(xml.data(), xml.size())) return {};
    return document.document_element();
}

}  // namespace

Refusal read_refusal(std::string_view xml) {
    pugi::xml_document document;
    const auto root = root_of(document, xml);
    if (std::string_view(root.name()) != "Error") return {};
    return {.code = root.child_value("Code"), .message = root.child_value("Message")};
}

std::optional<std::string> read_upload_id(std::string_view xml) {
    pugi::xml_document document;
    std::string id = root_of(document, xml).child_value("UploadId");
    if (id.empty()) return std::nullopt;
    return id;
}

std::string unquoted_etag(std::string text) {
    if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"'))
        return text.substr(1, text.size() - 2);
    return text;
}

std::optional<std::string> read_etag(std::string_view xml) {
    pugi::xml_document document;
    auto etag = unquoted_etag(root_of(document, xml).child_value("ETag"));
    if (etag.empty()) return std::nullopt;
    return etag;
}

std::vector<Upload> read_uploads(std::string_view xml) {
    pugi::xml_document document;
    std::vector<Upload> uploads;
    for (const auto& node : root_of(document, xml).children("Upload")) {
        const auto begun_at = parse_rfc3339(node.child_value("Initiated"));
        Upload upload{.path = node.child_value("Key"), .id = node.child_value("UploadId")};
        if (!begun_at || upload.path.empty() || upload.id.empty()) continue;
        upload.begun_at = *begun_at;
        uploads.push_back(std::move(upload));
    }
    return uploads;
}

std::optional<Listing> read_listing(std::string_view xml) {
    pugi::xml_document document;
    const auto root = root_of(document, xml);
    if (std::string_view(root.name()) != "ListBucketResult") return std::nullopt;
    Listing listing{.paths = {}, .is_truncated = std::string_view(root.child_value("IsTruncated")) == "true"};
    for (const auto& node : root.children("Contents"))
        listing.paths.emplace_back(node.child_value("Key"));
    return listing;
}

std::string write_parts(const std::vector<std::string>& etags) {
    pugi::xml_document document;
    auto root = document.append_child("CompleteMultipartUpload");
    root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
    for (std::size_t index = 0; index < etags.size(); ++index) {
        auto part = root.append_child("Part");
        part.append_child("PartNumber").text() = static_cast<unsigned>(index + 1);
        part.append_child("ETag").text() = etags[index].c_str();
    }
    std::ostringstream text;
    document.save(text, "", pugi::format_raw);
    return text.str();
}

}  // namespace spaktok::blob::s3
