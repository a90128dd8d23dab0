using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Version and errors. What each function does stands in mambart.h.</summary>
internal static unsafe class LibraryExports
{
    private const uint AbiVersion = 2;

    [UnmanagedCallersOnly(EntryPoint = "mrt_abi_version", CallConvs = [typeof(CallConvCdecl)])]
    private static uint Abi() => AbiVersion;

    [UnmanagedCallersOnly(EntryPoint = "mrt_version", CallConvs = [typeof(CallConvCdecl)])]
    private static byte* Version() => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(BuildInfo.Version));   // a constant in the library's data

    [UnmanagedCallersOnly(EntryPoint = "mrt_last_error", CallConvs = [typeof(CallConvCdecl)])]
    private static byte* Error() => LastError.Address;

    [UnmanagedCallersOnly(EntryPoint = "mrt_last_error_code", CallConvs = [typeof(CallConvCdecl)])]
    private static Status ErrorCode() => LastError.Status;
}
