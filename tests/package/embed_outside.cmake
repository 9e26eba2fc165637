# Installs BUILD to a fresh prefix, builds EXAMPLE against it in a folder of its own, runs it.
file(REAL_PATH "$ENV{TMPDIR}" tmp BASE_DIRECTORY /tmp)
string(RANDOM LENGTH 8 suffix)
set(work ${tmp}/hearth-package-${suffix})
file(MAKE_DIRECTORY ${work}/app)

function(run expected)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${work} OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE status)
  if(NOT status EQUAL 0 OR NOT out MATCHES "${expected}")
    list(JOIN ARGN " " command)
    file(REMOVE_RECURSE ${work})
    message(FATAL_ERROR "${command}\nexit ${status}, expected 0 and output like '${expected}', got:\n${out}")
  endif()
endfunction()

file(WRITE ${work}/policy.json [[{
  "version": 1, "name": "package test",
  "classes": [{"name": "public", "egress": "allow"}, {"name": "private", "egress": "never"}],
  "default_class": "private"
}]])
file(WRITE ${work}/pair.json [[{
  "name": "tiny",
  "edge": {"file": "tiny.pt", "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4]}],
           "outputs": [{"name": "scores", "datatype": "FP32", "shape": [1, 3]}]},
  "labels": ["a", "b", "c"]
}]])
file(WRITE ${work}/runtime.json [[{"models": ["pair.json"], "policy": "policy.json", "journal": "journal"}]])
file(COPY ${EXAMPLE} DESTINATION ${work}/app)
file(COPY_FILE ${CMAKE_CURRENT_LIST_DIR}/CMakeLists.app.txt ${work}/app/CMakeLists.txt)

run("" ${MAKE_MODEL} ${work}/tiny.pt)
run("hearthConfig.cmake" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/prefix)
run("" ${CMAKE_COMMAND} -S app -B app/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_PREFIX_PATH=${work}/prefix
    -DCMAKE_BUILD_TYPE=Release)
run("" ${CMAKE_COMMAND} --build app/build)
run("infer: served, local_by_default, on edge.*class public, 0 bytes sent.*submit: served, local_by_default, on edge"
    app/build/embed_minimal runtime.json)
file(REMOVE_RECURSE ${work})
