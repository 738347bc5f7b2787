#pragma once
// Where the files that come with Seawall are: the organism, published numbers, judges, recipes.
#include <filesystem>

namespace seawall {

/// $SEAWALL_DATA; else share/seawall next to the program's folder; else what set_data_folder named;
/// else data/ of the source tree. Errors: IoError naming the places looked at.
std::filesystem::path data_folder();

/// Names the data of an installation, for programs elsewhere that link it; the CMake package calls
/// it. Returns true.
bool set_data_folder(const char* folder);

}  // namespace seawall
