// The document collections of this feature, for itself and for whoever copies all of a place.
#pragma once

#include <vector>

#include "engines/document/declaration.h"

namespace spaktok::chat {

std::vector<document::Declaration> declared_collections();

}  // namespace spaktok::chat
