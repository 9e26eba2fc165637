# The package an app finds: libhearth.so, its headers, the programs, the configurations. Apps need no other package's
# headers: what hearth links stays inside.

include(CMakePackageConfigHelpers)

install(TARGETS hearth_shared EXPORT hearthTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY runtime/include/hearth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/hearth)
if(HEARTH_BUILD_PROGRAMS)
  install(TARGETS hearth hearth-models hearth-cloud-stub RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/hearth)
install(EXPORT hearthTargets NAMESPACE hearth:: DESTINATION ${package_folder})
configure_package_config_file(cmake/hearthConfig.cmake.in ${PROJECT_BINARY_DIR}/hearthConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hearthConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hearthConfig.cmake ${PROJECT_BINARY_DIR}/hearthConfigVersion.cmake
  DESTINATION ${package_folder})
