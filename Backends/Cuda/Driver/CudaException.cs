using System.Runtime.InteropServices;

namespace MambaRT.Backends.Cuda;

/// <summary>A call of the driver that failed: the call, CUDA's code and name, and the op where there is one.</summary>
public sealed unsafe class CudaException : IOException
{
    private const int OutOfMemoryCode = 2;

    /// <summary>Describes a failed call.</summary>
    /// <param name="call">The driver's function.</param>
    /// <param name="code">What it returned.</param>
    /// <param name="op">The op or the thing it was for, or null.</param>
    public CudaException(string call, int code, string? op = null)
        : base(op is null ? Describe(call, code) : $"{op}: {Describe(call, code)}") => (Call, Code) = (call, code);

    /// <summary>The driver's function.</summary>
    public string Call { get; }

    /// <summary>CUDA's code.</summary>
    public int Code { get; }

    /// <summary>Whether the device had too little memory: nothing else is lost then.</summary>
    public bool IsOutOfMemory => Code == OutOfMemoryCode;

    internal static void Check(int code, string call, string? op = null)
    {
        if (code != 0) throw new CudaException(call, code, op);
    }

    internal static string Describe(string call, int code)
    {
        byte* name = null, text = null;
        _ = DriverAPINativeMethods.cuGetErrorName(code, &name);
        _ = DriverAPINativeMethods.cuGetErrorString(code, &text);
        return $"{call} failed with {code} {Marshal.PtrToStringUTF8((nint)name) ?? "(unnamed)"}{(text is null ? "" : $" ({Marshal.PtrToStringUTF8((nint)text)})")}{(EndsTheContext(code) ? "; what was on the device is lost: start again, or choose --backend cpu" : "")}";
    }

    /// <summary>Whether every later call fails alike: a bad access or instruction, a time limit, a failed assertion or launch, a context that is no more (cuda.h, CUresult).</summary>
    private static bool EndsTheContext(int code) => code is 700 or 702 or 709 or 710 or (>= 714 and <= 719);
}
