using System.Runtime.InteropServices;
using static MambaRT.Backends.Cuda.DriverAPINativeMethods;

namespace MambaRT.Backends.Cuda;

/// <summary>Descriptions of matrices of 16 bits for bulk copies, in device memory: boxes of some rows by 64 columns, zeros where a box reaches beyond the matrix.</summary>
/// <remarks>
/// Where a map lies nothing else is ever written, as multiprocessors keep what they have read of maps, and no copy tells them (CUDA C++ Programming Guide, tensor
/// maps in global memory). All that a device has run has them in common: 128 bytes for each place and shape that matrices have had. Any thread.
/// </remarks>
internal sealed unsafe class TensorMaps : IDisposable
{
    private const int MapBytes = 128, MapsOfPiece = 512, BoxColumns = 64;

    private readonly Dictionary<Key, ulong> _maps = [];
    private readonly List<CudaDeviceMemory> _pieces = [];
    private readonly Lock _adding = new();

    private readonly record struct Key(ulong Address, int Rows, int Columns, int Stride, int BoxRows);

    /// <summary>Where the map of a matrix is.</summary>
    /// <param name="address">The matrix, on a multiple of 16 bytes.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="stride">Elements from row to row, a multiple of eight.</param>
    /// <param name="boxRows">Rows of a box.</param>
    /// <param name="stream">By which one that is new comes to the device, before this returns.</param>
    public ulong Of(ulong address, int rows, int columns, int stride, int boxRows, CudaStream stream)
    {
        var key = new Key(address, rows, columns, stride, boxRows);
        lock (_adding)
        {
            if (_maps.TryGetValue(key, out ulong known)) return known;
            if (_maps.Count == _pieces.Count * MapsOfPiece) _pieces.Add(new CudaDeviceMemory((long)MapsOfPiece * MapBytes, "maps of matrices"));
            ulong at = _pieces[^1].Address + (ulong)(_maps.Count % MapsOfPiece * MapBytes);
            Encode(key, at, stream);
            return _maps[key] = at;
        }
    }

    public void Dispose()
    {
        foreach (CudaDeviceMemory piece in _pieces) piece.Dispose();
        _pieces.Clear();
        _maps.Clear();
    }

    private static void Encode(Key key, ulong to, CudaStream stream)
    {
        const int Halves = 6, Swizzle128 = 3, Promote128 = 2;
        void* map = NativeMemory.AlignedAlloc(MapBytes, 64);
        try
        {
            ulong* sizes = stackalloc ulong[2] { (ulong)key.Columns, (ulong)key.Rows };
            ulong* strides = stackalloc ulong[1] { (ulong)key.Stride * sizeof(ushort) };
            uint* box = stackalloc uint[2] { BoxColumns, (uint)key.BoxRows };
            uint* steps = stackalloc uint[2] { 1, 1 };
            CudaException.Check(cuTensorMapEncodeTiled(map, Halves, 2, key.Address, sizes, strides, box, steps, 0, Swizzle128, Promote128, 0), "cuTensorMapEncodeTiled");
            stream.CopyToDevice(to, map, MapBytes, "a map of a matrix");
            stream.Synchronize("a map of a matrix");
        }
        finally
        {
            NativeMemory.AlignedFree(map);
        }
    }
}
