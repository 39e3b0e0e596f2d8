// A collection as its feature declares it: what `Store::ensure` makes.
#pragma once

#include <string>
#include <vector>

#include "engines/document/collection.h"

namespace spaktok::document {

struct Declaration {
    std::string name;
    DocumentShape shape;
    std::vector<Index> indexes;
};

}  // namespace spaktok::document
