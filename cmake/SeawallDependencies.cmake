# Third-party libraries, for the build and for the installed package alike.
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(Eigen3 3.4 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(HDF5 1.10 REQUIRED COMPONENTS C HL) # HL: dimension scales
find_package(CURL 7.85 REQUIRED) # URLs of one protocol alone
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Minizip REQUIRED)
find_package(FlatBuffers NAMES FlatBuffers flatbuffers REQUIRED)
find_package(SentencePiece REQUIRED)
find_package(utf8proc REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/SeawallTorch.cmake)
