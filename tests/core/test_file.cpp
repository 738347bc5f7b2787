#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "seawall/core/error.hpp"
#include "seawall/core/file.hpp"

namespace seawall {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  File() { fs::create_directories(folder_); }
  ~File() override { fs::remove_all(folder_); }
  std::string error_of(auto&& f) {
    try {
      f();
    } catch (const Error& e) {
      code_ = e.exit_code();
      return e.what();
    }
    return "nothing was thrown";
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  const fs::path folder_ =
      fs::path(testing::TempDir()) / ("seawall file é " + std::to_string(::getpid()));
  ExitCode code_ = ExitCode::ok;
};

TEST_F(File, WhatIsWrittenReadsBackByteForByteBothWays) {
  const std::string content("a\0b\n\xff", 5);
  const auto path = folder_ / "bytes";
  write_file_atomically(path, content);
  EXPECT_EQ(read_file(path), content);
  EXPECT_EQ(MappedFile(path).bytes(), content);
  const std::array<std::string_view, 3> parts{"one", "", "two"};
  write_file_atomically(path, parts);  // replaces
  EXPECT_EQ(read_file(path), "onetwo");
  EXPECT_EQ(entries(), 1u) << "the temporary file is left behind";
}

TEST_F(File, AMovedMapStaysReadable) {
  const auto path = folder_ / "bytes";
  write_file_atomically(path, "abc");
  MappedFile first(path);
  const MappedFile second(std::move(first));
  EXPECT_EQ(second.bytes(), "abc");
  write_file_atomically(path, "");
  EXPECT_EQ(MappedFile(path).bytes(), "");
  EXPECT_EQ(read_file(path), "");
}

TEST_F(File, ErrorsNameThePathAndTheReason) {
  const auto absent = folder_ / "absent";
  EXPECT_EQ(error_of([&] { read_file(absent); }),
            absent.string() + ": cannot open the file: No such file or directory");
  EXPECT_EQ(code_, ExitCode::io);
  EXPECT_EQ(error_of([&] { MappedFile m(absent); }),
            absent.string() + ": cannot open the file: No such file or directory");
  EXPECT_EQ(error_of([&] { read_file(folder_); }),
            folder_.string() + ": cannot read a file: Is a directory");
  const auto into_nowhere = absent / "file";
  EXPECT_EQ(error_of([&] { write_file_atomically(into_nowhere, "x"); }),
            into_nowhere.string() + ": cannot create the file: No such file or directory");
  EXPECT_EQ(code_, ExitCode::io);
}

TEST_F(File, ALimitIsKeptBeforeAnythingIsRead) {
  const auto path = folder_ / "large";
  write_file_atomically(path, "12345");
  EXPECT_EQ(read_file(path, 5), "12345");
  EXPECT_EQ(error_of([&] { read_file(path, 4); }),
            path.string() + ": the file has 5 bytes, at most 4 are read");
  EXPECT_EQ(code_, ExitCode::bad_input);
}

TEST_F(File, APipeIsRefusedAndNotWaitedFor) {
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { read_file(pipe); }),
            pipe.string() + ": want a regular file, found a device, pipe or socket");
}

TEST_F(File, AFailedWriteKeepsTheOldFileAndLeavesNothingBehind) {
  // A folder cannot be replaced by a file, so the rename fails when everything is written.
  const auto path = folder_ / "in the way";
  fs::create_directories(path / "child");
  EXPECT_EQ(error_of([&] { write_file_atomically(path, "x"); }),
            path.string() + ": cannot rename into place: Is a directory");
  EXPECT_TRUE(fs::exists(path / "child"));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(File, AFullDiskSaysWhatIsWantedAndWhatIsFree) {
  const fs::path full = "/dev/full";
  if (!fs::exists(full)) GTEST_SKIP() << "no /dev/full here";
  // The temporary name is known, so that it can be made a link to the device that is always full.
  const auto path = folder_ / "out";
  fs::create_symlink(full, folder_ / ("out.tmp-" + std::to_string(::getpid())));
  const auto text = error_of([&] { write_file_atomically(path, "some bytes"); });
  EXPECT_EQ(code_, ExitCode::io);
  EXPECT_NE(text.find("out: cannot write the file: No space left on device: want 0.0 MiB, "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(" MiB are free; free some space"), std::string::npos) << text;
  EXPECT_EQ(entries(), 0u);
}

}  // namespace
}  // namespace seawall
