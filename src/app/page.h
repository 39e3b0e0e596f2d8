// The web page: the files inside the program, or a directory that the operator names.
#pragma once

#include <memory>
#include <string>

#include "http/static_files.h"

namespace spaktok::app {

// `directory` empty: what was compiled in. nullptr where the program was built without the page (then there
// is only the API). Throws Error{invalid_argument} for a directory without a page.
std::unique_ptr<http::StaticFiles> open_page(const std::string& directory);

}  // namespace spaktok::app
