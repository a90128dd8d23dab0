using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>The emitted kernels of one model: each is made once, when an executable is compiled, and freed with the model.</summary>
/// <remarks>Not thread-safe: models are loaded and compiled by one thread at a time.</remarks>
internal sealed unsafe class CodeCache : IDisposable
{
    private readonly Dictionary<object, ExecutableMemory> _kernels = [];
    private readonly NativeBuffer _zeros = new(2 * 64);

    /// <summary>Two vectors of zeros: what code adds where there is nothing to add.</summary>
    public float* Zeros => (float*)_zeros.Address;

    /// <summary>The kernel of a shape; <paramref name="emit"/> writes it where it is new.</summary>
    /// <param name="shape">A value that names everything the code depends on.</param>
    /// <param name="emit">Writes the code.</param>
    public delegate* unmanaged<void*, void> Get<TShape>(TShape shape, Action<Assembler, TShape> emit) where TShape : notnull
    {
        if (!_kernels.TryGetValue(shape, out ExecutableMemory? kernel))
        {
            var code = new Assembler();
            emit(code, shape);
            kernel = ExecutableMemory.TryCreate(code.ToArray()) ?? throw new OutOfMemoryException("The system gave no memory for machine code.");
            _kernels.Add(shape, kernel);
        }
        return kernel.Entry;
    }

    public void Dispose()
    {
        foreach (ExecutableMemory kernel in _kernels.Values) kernel.Dispose();
        _kernels.Clear();
        _zeros.Dispose();
    }
}
