# Installs headers, libraries, the program, its data and a package that exports seawall::seawall.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/seawall)

get_property(targets DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER targets INCLUDE REGEX "^seawall(_(core|policy|text|dataset|scenario|device|model|store|remote|pretrained|parallel|train|eval|exchange|run|study|report|cli|plugins))?$")
install(TARGETS ${targets} EXPORT seawall_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT seawall_targets NAMESPACE seawall:: DESTINATION ${package})
if(TARGET seawall_program)
  install(TARGETS seawall_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(DIRECTORY include/seawall DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
foreach(folder IN ITEMS attacks mitigations)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${folder})
    install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/seawall-plugins FILES_MATCHING PATTERN "*.hpp")
  endif()
endforeach()
install(FILES experiments/arena/attacks.hpp experiments/arena/defences.hpp experiments/arena/study.hpp
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/seawall-plugins/experiments/arena)
install(DIRECTORY data/organism data/rubric data/judges data/recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/seawall OPTIONAL)

configure_package_config_file(cmake/seawallConfig.cmake.in ${PROJECT_BINARY_DIR}/seawallConfig.cmake
                              INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/seawallConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/seawallConfig.cmake ${PROJECT_BINARY_DIR}/seawallConfigVersion.cmake
              cmake/seawall_data.cpp.in cmake/SeawallCodeVersion.cmake cmake/SeawallDependencies.cmake cmake/SeawallTorch.cmake cmake/importable_torch.py
              cmake/FindMinizip.cmake cmake/FindSentencePiece.cmake cmake/Findutf8proc.cmake DESTINATION ${package})
