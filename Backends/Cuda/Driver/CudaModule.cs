using System.Text;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>Kernels compiled by the driver from PTX. Linking runs on several threads at once, where loading PTX does not, and the driver keeps the result for the next start.</summary>
internal sealed unsafe class CudaModule : IDisposable
{
    private const int Ptx = 1;

    private nint _handle;

    /// <param name="name">What errors call it.</param>
    /// <param name="ptx">Text that ends in a zero byte.</param>
    public CudaModule(string name, ReadOnlySpan<byte> ptx)
    {
        const int ErrorLog = 5, ErrorLogBytes = 6, LogLength = 4096;
        byte* log = stackalloc byte[LogLength];
        log[0] = 0;
        int* options = stackalloc int[2] { ErrorLog, ErrorLogBytes };
        void** values = stackalloc void*[2] { log, (void*)LogLength };
        byte unnamed = 0;
        nint state, module;
        CudaException.Check(cuLinkCreate_v2(2, options, values, &state), "cuLinkCreate", name);
        try
        {
            void* image;
            nuint bytes;
            fixed (byte* text = ptx)
            {
                int code = cuLinkAddData_v2(state, Ptx, text, (nuint)ptx.Length, &unnamed, 0, null, null);
                string said = code == 0 ? "" : Encoding.UTF8.GetString(log, LogLength).Split('\0')[0];
                CudaException.Check(code, "cuLinkAddData", said.Length == 0 ? name : $"{name}: {said}");
            }
            CudaException.Check(cuLinkComplete(state, &image, &bytes), "cuLinkComplete", name);
            CudaException.Check(cuModuleLoadData(&module, image), "cuModuleLoadData", name);
        }
        finally
        {
            _ = cuLinkDestroy(state);
        }
        _handle = module;
    }

    public nint Function(string name)
    {
        nint function;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0")) CudaException.Check(cuModuleGetFunction(&function, _handle, text), "cuModuleGetFunction", name);
        return function;
    }

    /// <summary>Lets launches of a kernel ask for more shared memory than 48 KiB.</summary>
    public static void AllowShared(nint function, int bytes, string name)
    {
        const int MostDynamicShared = 8;
        CudaException.Check(cuFuncSetAttribute(function, MostDynamicShared, bytes), "cuFuncSetAttribute", name);
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        if (!CudaContext.IsGone) _ = cuModuleUnload(_handle);
        _handle = 0;
    }
}
