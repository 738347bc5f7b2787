// expect: reader read: of another signature; want `static Dialogue read\(const Json&, const
#include "seawall/dataset/reader_policy.hpp"

namespace seawall {
struct MyReader {
  static constexpr std::string_view name = "my-reader", summary = "-", sample = "{}";
  static bool is(const Json&, const FormatWanted&) { return true; }
  static Dialogue read(const Json&) { return {}; }
  static Dialogue ask(const Json&, const Reading&) { return {}; }
};
static_assert(explain_reader<MyReader>());
}  // namespace seawall
