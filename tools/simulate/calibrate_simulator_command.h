/// \file `hearth calibrate simulator`: how true a simulation of a live run is.
#pragma once

namespace hearth::simulate {

int calibrate_simulator_main(int argc, char** argv);

}  // namespace hearth::simulate
