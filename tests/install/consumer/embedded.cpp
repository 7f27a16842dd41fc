// Carries its own source as a "model": what ctlm_embed_model links is the file, byte for byte, and aligned.
#include <cstdint>
#include <cstdio>

extern "C" const char ctlm_image_bytes[], ctlm_image_bytes_end[];

int main(int, char** argv) {
  std::FILE* file = std::fopen(argv[1], "rb");
  if (file == nullptr || reinterpret_cast<std::uintptr_t>(ctlm_image_bytes) % 64 != 0) return 1;
  for (const char* p = ctlm_image_bytes; p != ctlm_image_bytes_end; ++p)
    if (std::fgetc(file) != static_cast<unsigned char>(*p)) return 2;
  return std::fgetc(file) == EOF ? 0 : 3;
}
