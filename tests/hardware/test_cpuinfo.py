"""Fixtures are cut from real /proc/cpuinfo texts: only the lines that are read are kept."""

from __future__ import annotations

from labsupport.hardware.cpuinfo import parse_cpuinfo

AMD = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7B13 64-Core Processor
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 avx f16c avx2 bmi2 sha_ni vaes

processor\t: 1
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7B13 64-Core Processor
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 avx f16c avx2 bmi2 sha_ni vaes
"""

INTEL_SAPPHIRE_RAPIDS = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu avx avx2 avx512f avx512dq avx512bw avx512_vnni avx_vnni avx512_bf16 amx_bf16 amx_tile amx_int8
vmx flags\t: vnmi preemption_timer

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
physical id\t: 1
core id\t\t: 0
flags\t\t: fpu avx avx2 avx512f avx512dq avx512bw avx512_vnni avx_vnni avx512_bf16 amx_bf16 amx_tile amx_int8
"""

ARM = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd0c

processor\t: 1
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd0c
"""

RASPBERRY_PI = ARM + "\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"


def test_hyper_threads_share_a_physical_core() -> None:
    info = parse_cpuinfo(AMD)
    assert (info.logical_cores, info.physical_cores) == (2, 1)


def test_equal_core_numbers_on_two_packages_are_two_cores() -> None:
    assert parse_cpuinfo(INTEL_SAPPHIRE_RAPIDS).physical_cores == 2


def test_model_names_lose_trademarks_clock_and_core_count() -> None:
    assert parse_cpuinfo(AMD).model == "AMD EPYC 7B13"
    assert parse_cpuinfo(INTEL_SAPPHIRE_RAPIDS).model == "Intel Xeon Platinum 8481C"


def test_only_the_flags_that_matter_are_listed_and_whole_words_count() -> None:
    assert parse_cpuinfo(AMD).isa == ("avx2",)
    assert parse_cpuinfo(INTEL_SAPPHIRE_RAPIDS).isa == (
        "avx2",
        "avx512f",
        "avx512_vnni",
        "avx_vnni",
        "avx512_bf16",
        "amx_int8",
        "amx_bf16",
    )


def test_arm_is_named_by_numbers_and_has_no_x86_sets() -> None:
    info = parse_cpuinfo(ARM)
    assert info.model == "ARM implementer 0x41 part 0xd0c"
    assert (info.isa, info.logical_cores, info.physical_cores) == ((), 2, None)


def test_a_trailing_block_about_the_board_is_not_a_processor() -> None:
    assert parse_cpuinfo(RASPBERRY_PI).logical_cores == 2


def test_an_empty_text_is_an_unknown_processor() -> None:
    info = parse_cpuinfo("")
    assert (info.model, info.isa, info.logical_cores) == ("unknown CPU", (), 0)
