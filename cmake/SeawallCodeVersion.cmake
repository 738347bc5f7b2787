# seawall_code_version(TARGET FILE...): defines SEAWALL_CODE_VERSION in the target's sources, a hash of these files for
# Program::version. Runs keep their keys after a rebuild for as long as none of the files changed.
function(seawall_code_version target)
  set(text "")
  foreach(file IN LISTS ARGN)
    get_filename_component(path ${file} ABSOLUTE)
    file(SHA256 ${path} hash)
    string(APPEND text "${hash}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  endforeach()
  string(SHA256 version "${text}")
  string(SUBSTRING ${version} 0 16 version)
  target_compile_definitions(${target} PRIVATE SEAWALL_CODE_VERSION="${version}")
endfunction()
