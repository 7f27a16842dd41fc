# SPDX-License-Identifier: MIT
# Toolchain of the preset `cortex-m`: Arm's Cortex-M4 with a single precision unit, no operating system, no library but
# the compiler's own. Programs run on QEMU's MPS2 board, whose text and exit status come through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_SIZE arm-none-eabi-size)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)  # a program would need the board's linker script
set(CMAKE_CXX_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -ffreestanding -fno-exceptions \
-fno-rtti -fno-threadsafe-statics -ffunction-sections -fdata-sections")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none
  -chardev stdio,id=text -semihosting-config enable=on,chardev=text -kernel)
