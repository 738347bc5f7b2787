// A file that somebody changed is refused until it is sealed again.
#include <hdf5.h>

#include "sample.hpp"
#include "seawall/core/error.hpp"
#include "seawall/store/seal.hpp"

namespace seawall {
namespace {

using namespace testing;
namespace fs = std::filesystem;

/// Adds an attribute as h5py would.
void annotate(const fs::path& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t note =
      H5Acreate2(file, "number_note", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
  const double value = 4.5;
  EXPECT_GE(H5Awrite(note, H5T_NATIVE_DOUBLE, &value), 0);
  H5Aclose(note);
  H5Sclose(space);
  H5Fclose(file);
}

fs::path a_run(const Folder& folder) {
  RunFile run(folder / "run.h5", sample_info());
  run.on_step(sample_step(1));
  run.publish(true);
  return folder / "run.h5";
}

TEST(Seal, AnAnnotatedFileIsReadOnceItIsSealedAgain) {
  const Folder folder;
  const auto path = a_run(folder);
  annotate(path);
  EXPECT_HAS(testing::message_of<DataError>([&] { read_run(path); }), "seal it (seawall seal)");
  EXPECT_EQ(h5::seal_again(path), "run");
  const RunData data = read_run(path);
  EXPECT_EQ(data.info.numbers.back(), (std::pair<std::string, double>{"note", 4.5}));
  expect_same_record(data.steps.at(0), sample_step(1));
  // Once more changes nothing.
  const std::string bytes = bytes_of(path);
  h5::seal_again(path);
  EXPECT_EQ(bytes_of(path), bytes);
}

TEST(Seal, NothingElseIsSealed) {
  const Folder folder;
  const auto text = folder.write("text.h5", "some text that is long enough");
  EXPECT_HAS(testing::message_of<DataError>([&] { h5::seal_again(text); }), "another kind of file");
  EXPECT_THROW(h5::seal_again(folder / "none.h5"), IoError);

  const auto foreign = folder / "foreign.h5";
  H5Fclose(H5Fcreate(foreign.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  const std::string before = bytes_of(foreign);
  EXPECT_HAS(testing::message_of<DataError>([&] { h5::seal_again(foreign); }),
             "is no file of Seawall");
  EXPECT_EQ(bytes_of(foreign), before);

  const auto path = a_run(folder);
  const std::string whole = bytes_of(path);
  for (const double part : {0.1, 0.5, 0.9}) {
    spit(path, whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
    EXPECT_THROW(h5::seal_again(path), DataError) << part;
  }
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    files += entry.path().extension() != ".csv" ? 1 : 0;
  EXPECT_EQ(files, 3u);
}

}  // namespace
}  // namespace seawall
