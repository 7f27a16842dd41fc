// SPDX-License-Identifier: MIT
// ctlm: the version, the one place it is written down.
#pragma once

#define CTLM_VERSION_MAJOR 0
#define CTLM_VERSION_MINOR 1
#define CTLM_VERSION_PATCH 0
