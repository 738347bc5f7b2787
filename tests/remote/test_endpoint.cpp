#include <gtest/gtest.h>
#include <stdlib.h>

#include "seawall/core/error.hpp"
#include "seawall/remote/endpoint.hpp"

namespace seawall {
namespace {

TEST(Endpoint, TakesHttpsAnywhereAndHttpOnThisMachineAlone) {
  for (const char* good :
       {"https://api.example.org/v1", "http://127.0.0.1:8080/v1", "http://127.9.8.7",
        "http://[::1]:1", "http://localhost:8000/v1/", "https://127.0.0.1:1/v1"})
    EXPECT_NO_THROW(Endpoint{good}) << good;
  // The last four look like this machine and are not, or would send a key in the clear.
  for (const char* bad : {"", "nonsense", "ftp://127.0.0.1/", "file:///etc/passwd",
                          "http://api.example.org/v1", "http://127.0.0.1.example.org/",
                          "http://localhost.example.org", "http://0.0.0.0:80", "http://128.0.0.1"})
    EXPECT_THROW(Endpoint{bad}, UsageError) << bad;
  EXPECT_TRUE(Endpoint("http://127.0.0.1:1").loopback());
  EXPECT_FALSE(Endpoint("https://api.example.org").loopback());
  EXPECT_EQ(Endpoint("http://localhost:8000/v1//").url(), "http://localhost:8000/v1");
}

TEST(Endpoint, AUrlWithASecretIsRefusedAndNotRepeated) {
  for (const char* bad :
       {"https://me:hush@api.example.org/v1", "https://api.example.org/v1?key=hush",
        "https://api.example.org/v1#hush"}) {
    try {
      Endpoint{bad};
      FAIL() << bad;
    } catch (const UsageError& e) {
      EXPECT_EQ(std::string(e.what()).find("hush"), std::string::npos) << e.what();
    }
  }
}

TEST(Endpoint, KeyIsScrubbedAndMustFitAHeader) {
  const Endpoint endpoint("https://api.example.org", "hush-hush-1");
  EXPECT_EQ(endpoint.scrub("wrong key hush-hush-1, not hush-hush-1."),
            "wrong key [key], not [key].");
  EXPECT_EQ(Endpoint("https://api.example.org").scrub("hush-hush-1"), "hush-hush-1");
  // What local servers take for a key is no secret, and may be part of an answer.
  for (const char* word : {"key", "k", "none", "EMPTY"})
    EXPECT_EQ(Endpoint("https://api.example.org", word).scrub("none of the keys, EMPTY"),
              "none of the keys, EMPTY");
  for (const char* bad : {"hush\r\nX-Evil: 1", "hush hush", "h\xC3\xBCsh"}) {
    try {
      Endpoint("https://api.example.org", bad);
      FAIL();
    } catch (const UsageError& e) {
      EXPECT_EQ(std::string(e.what()).find("hush"), std::string::npos) << e.what();
    }
  }
}

TEST(Endpoint, TheEnvironmentGivesKeyAndAddress) {
  ::unsetenv("SEAWALL_API_KEY"), ::unsetenv("OPENAI_API_KEY");
  ::setenv("OPENAI_BASE_URL", "https://one.example.org/v1", 1);
  EXPECT_THROW(Endpoint::from_environment(""), UsageError);
  EXPECT_EQ(Endpoint::from_environment("", false).url(), "https://one.example.org/v1");
  EXPECT_FALSE(Endpoint::from_environment("http://127.0.0.1:1").has_key());  // needs none
  ::setenv("OPENAI_API_KEY", "second-key", 1);
  ::setenv("SEAWALL_API_KEY", "first-key", 1);
  EXPECT_EQ(Endpoint::from_environment("").scrub("first-key second-key"), "[key] second-key");
  EXPECT_EQ(Endpoint::from_environment("https://two.example.org").url(), "https://two.example.org");
  ::unsetenv("SEAWALL_API_KEY");
  EXPECT_EQ(Endpoint::from_environment("").scrub("first-key second-key"), "first-key [key]");
  ::unsetenv("OPENAI_API_KEY"), ::unsetenv("OPENAI_BASE_URL");
}

}  // namespace
}  // namespace seawall
