# What `cmake --install` puts below the prefix, and the target that takes it away again.

# The folders that are not there yet are written down for the target `uninstall`, before the first is made.
set(folders
    "${CMAKE_INSTALL_LIBDIR}/lua/${lua_abi}/dgram" "${CMAKE_INSTALL_LIBDIR}/cmake/dgram" "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
    "${CMAKE_INSTALL_INCLUDEDIR}" "share/lua/${lua_abi}/dgram" share/doc/lua-dgram)
install(CODE "set(folders [[${folders}]])\nset(list [[${PROJECT_BINARY_DIR}/install_folders.txt]])" ALL_COMPONENTS)
install(SCRIPT "${PROJECT_SOURCE_DIR}/cmake/new_folders.cmake" ALL_COMPONENTS)

# ---- runtime: the Lua module

install(TARGETS dgram_core LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/lua/${lua_abi}/dgram" COMPONENT runtime)
install(DIRECTORY lua/dgram DESTINATION "share/lua/${lua_abi}" COMPONENT runtime FILES_MATCHING PATTERN "*.lua")
install(FILES LICENSE DESTINATION share/doc/lua-dgram RENAME copyright COMPONENT runtime)

# ---- development: the static library. Those for several Luas may be side by side.

set(cmake_folder "${CMAKE_INSTALL_LIBDIR}/cmake/dgram")
install(TARGETS dgram EXPORT dgram ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(FILES static/dgram.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
install(EXPORT dgram NAMESPACE dgram:: FILE "dgram-${lua_name}.cmake" DESTINATION "${cmake_folder}" COMPONENT development)

include(CMakePackageConfigHelpers)
write_basic_package_version_file(dgramConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" up "${up}")
configure_file(cmake/dgram.pc.in "${lua_name}-dgram.pc" @ONLY)
install(FILES cmake/dgramConfig.cmake "${PROJECT_BINARY_DIR}/dgramConfigVersion.cmake" DESTINATION "${cmake_folder}"
    COMPONENT development)
install(FILES "${PROJECT_BINARY_DIR}/${lua_name}-dgram.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
    COMPONENT development)

# ---- The way back

if(PROJECT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
    add_custom_target(uninstall VERBATIM
        COMMAND "${CMAKE_COMMAND}" "-DFOLDER=${PROJECT_BINARY_DIR}" -P "${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake")
    include(cmake/package.cmake)
endif()
