#include "http/static_files.h"

#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace spaktok::http {
namespace {

class StaticFilesTest : public ::testing::Test {
  protected:
    StaticFilesTest() {
        auto pattern = (std::filesystem::temp_directory_path() / "spaktok-static-XXXXXX").string();
        directory = ::mkdtemp(pattern.data());
        write("200.html", "<html><script src=\"/a.js\"></script><script>start()</script></html>");
        write("_app/immutable/app.1234.js", "plain script");
        write("_app/immutable/app.1234.js.br", "brotli script");
        write("_app/immutable/app.1234.js.gz", "gzip script");
        write("about.html", "<html>about</html>");
        write("docs/index.html", "<html>docs</html>");
        write("robots.txt", "");
        write("lonely.gz", "an archive, not a variant");
    }
    ~StaticFilesTest() override { std::filesystem::remove_all(directory); }

    void write(const std::string& name, const std::string& text) {
        const auto path = directory / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    static Request request(const std::string& path, const char* encodings = "",
                           const char* accept = "text/html,*/*") {
        Request result;
        result.path = path;
        result.headers.add("Accept-Encoding", encodings);
        result.headers.add("Accept", accept);
        return result;
    }
    static std::string body(const Response& response) {
        return response.shared_body.empty() ? "" : *response.shared_body.at(0).bytes;
    }
    static std::string header(const Response& response, std::string_view name) {
        return std::string(response.headers.get(name).value_or(""));
    }
    std::filesystem::path directory;
};

TEST_F(StaticFilesTest, the_best_encoding_that_is_accepted_is_sent) {
    const StaticFiles files({.directory = directory});
    const std::string path = "/_app/immutable/app.1234.js";
    const auto brotli = files.answer(request(path, "gzip, br"));
    EXPECT_EQ(body(brotli), "brotli script");
    EXPECT_EQ(header(brotli, "Content-Encoding"), "br");
    EXPECT_EQ(header(brotli, "Vary"), "Accept-Encoding");
    EXPECT_EQ(header(brotli, "Content-Type"), "text/javascript; charset=utf-8");
    const auto gzip = files.answer(request(path, "gzip, br;q=0"));
    EXPECT_EQ(body(gzip), "gzip script");
    const auto plain = files.answer(request(path));
    EXPECT_EQ(body(plain), "plain script");
    EXPECT_FALSE(plain.headers.has("Content-Encoding"));
    EXPECT_EQ(header(plain, "Vary"), "Accept-Encoding");
    EXPECT_NE(header(plain, "ETag"), header(gzip, "ETag"));
}

TEST_F(StaticFilesTest, only_names_with_a_hash_are_cached_for_ever) {
    const StaticFiles files({.directory = directory});
    EXPECT_EQ(header(files.answer(request("/_app/immutable/app.1234.js")), "Cache-Control"),
              "public, max-age=31536000, immutable");
    EXPECT_EQ(header(files.answer(request("/robots.txt")), "Cache-Control"), "no-cache");
    EXPECT_EQ(header(files.answer(request("/anything")), "Cache-Control"), "no-cache");
    EXPECT_NE(header(files.answer(request("/robots.txt")), "ETag"), "");
}

TEST_F(StaticFilesTest, a_path_is_a_file_a_page_or_nothing) {
    const StaticFiles files({.directory = directory});
    const auto start = body(files.answer(request("/200.html")));
    const std::string archive = "an archive, not a variant";
    struct Row {
        const char* path;
        const char* accept;
        std::optional<std::string> expected;
    };
    const Row rows[]{
        {"/", "text/html", start},
        {"/watch/1234", "text/html,application/xhtml+xml", start},
        {"/@ada.lovelace", "text/html", start},
        {"/about", "*/*", "<html>about</html>"},
        {"/docs", "text/html", "<html>docs</html>"},
        {"/docs/", "text/html", "<html>docs</html>"},
        {"/robots.txt", "*/*", ""},
        {"/lonely.gz", "*/*", archive},
        {"/watch/1234", "application/json", std::nullopt},
        {"/watch/1234", "*/*", std::nullopt},
        {"/missing.js", "text/html", std::nullopt},
        {"/_app/immutable/missing", "text/html", std::nullopt},
        {"/_app/immutable/app.1234.js.br", "text/html", std::nullopt},
        {"/api", "text/html", std::nullopt},
        {"/api/v1/unknown", "text/html", std::nullopt},
        {"/live/1234/master", "text/html", std::nullopt},
        {"/media/1234", "text/html", std::nullopt},
        {"/../etc/passwd", "text/plain", std::nullopt},
    };
    for (const auto& row : rows) {
        if (row.expected) {
            EXPECT_EQ(body(files.answer(request(row.path, "", row.accept))), *row.expected) << row.path;
        } else {
            EXPECT_THROW(files.answer(request(row.path, "", row.accept)), Error)
                << row.path << " " << row.accept;
        }
    }
}

TEST_F(StaticFilesTest, a_page_may_run_its_own_scripts_only) {
    const StaticFiles files({.directory = directory, .media_origin = "https://cdn.example"});
    const auto policy = header(files.answer(request("/")), "Content-Security-Policy");
    // printf 'start()' | openssl dgst -sha256 -binary | base64
    EXPECT_NE(policy.find("script-src 'self' 'sha256-DIm7WJS6ZKDYe5qFLPy+h4JFI9Bol5QmYC57mt3Fb00=';"),
              std::string::npos)
        << policy;
    EXPECT_NE(policy.find("img-src 'self' data: blob: https://cdn.example;"), std::string::npos) << policy;
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos) << policy;
    EXPECT_FALSE(files.answer(request("/robots.txt")).headers.has("Content-Security-Policy"));
}

TEST_F(StaticFilesTest, a_wrong_directory_is_noticed_at_the_start) {
    EXPECT_THROW(StaticFiles({.directory = directory / "missing"}), Error);
    EXPECT_THROW(StaticFiles({.directory = directory / "_app"}), Error);  // no page in it
    std::size_t total = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
        if (entry.is_regular_file()) total += entry.file_size();
    }
    EXPECT_NO_THROW(StaticFiles({.directory = directory, .bytes_max = total}));
    EXPECT_THROW(StaticFiles({.directory = directory, .bytes_max = total - 1}), Error);
}

}  // namespace
}  // namespace spaktok::http
