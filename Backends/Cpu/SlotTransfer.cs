using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MambaRT.Formats;

namespace MambaRT.Backends.Cpu;

/// <summary>Takes one state of a slot between this backend's layout and the canonical one [rows, columns], through a staging buffer of 64 KiB or one row.</summary>
internal sealed unsafe class SlotTransfer : IDisposable
{
    private const int StagingFloats = 16 << 10;

    /// <summary>Rows and columns that <see cref="Transpose.Store"/> turns at a time.</summary>
    private const int Tile = 8;

    private readonly NativeBuffer _staging;

    /// <summary>Makes the staging buffer.</summary>
    /// <param name="layout">The states of a slot.</param>
    /// <param name="memory">What the buffer is counted by.</param>
    public SlotTransfer(StateLayout layout, HostMemory? memory = null)
    {
        int widest = 1;
        foreach (StateSpec spec in layout.Entries) widest = Math.Max(widest, spec.Columns);
        _staging = new NativeBuffer(sizeof(float) * (long)Math.Max(StagingFloats, 16 * widest), memory);
    }

    /// <summary>Writes a state in canonical order.</summary>
    public void Export(in StateSpec spec, LaneLayout? layout, float* own, Stream canonical)
    {
        float* staging = (float*)_staging.Address;
        for (int row = 0, count; row < spec.Rows && spec.Columns > 0; row += count)
        {
            count = RowsAtOnce(spec, layout, row);
            if (spec.Kind == StateKind.ConvWindow) Turn(own + row, spec.Rows, staging, spec.Columns, count);
            else if (layout is LaneLayout lanes) FromLanes(lanes, own, row, count, staging);
            else NativeMemory.Copy(own + (long)row * spec.Columns, staging, (nuint)count * (nuint)spec.Columns * sizeof(float));
            canonical.Write(new ReadOnlySpan<byte>(staging, count * spec.Columns * sizeof(float)));
        }
    }

    /// <summary>Reads a state in canonical order.</summary>
    /// <exception cref="EndOfStreamException">The bytes end early.</exception>
    public void Import(in StateSpec spec, LaneLayout? layout, float* own, Stream canonical)
    {
        float* staging = (float*)_staging.Address;
        for (int row = 0, count; row < spec.Rows && spec.Columns > 0; row += count)
        {
            count = RowsAtOnce(spec, layout, row);
            canonical.ReadExactly(new Span<byte>(staging, count * spec.Columns * sizeof(float)));
            if (spec.Kind == StateKind.ConvWindow) Turn(staging, spec.Columns, own + row, spec.Rows, count, back: true);
            else if (layout is LaneLayout lanes) ToLanes(lanes, staging, row, count, own);
            else NativeMemory.Copy(staging, own + (long)row * spec.Columns, (nuint)count * (nuint)spec.Columns * sizeof(float));
        }
    }

    public void Dispose() => _staging.Dispose();

    /// <summary>Rows that the staging buffer holds: whole groups of lanes.</summary>
    private int RowsAtOnce(in StateSpec spec, LaneLayout? layout, int row)
    {
        int count = (int)(_staging.Bytes / sizeof(float)) / spec.Columns;
        if (layout is LaneLayout lanes) count -= count % lanes.Lanes;
        return Math.Min(count, spec.Rows - row);
    }

    /// <summary>A few columns of <paramref name="count"/> rows between [columns, rows] and [rows, columns].</summary>
    private static void Turn(float* from, int fromStride, float* to, int toStride, int count, bool back = false)
    {
        int columns = back ? fromStride : toStride;
        for (int row = 0; row < count; row++)
            for (int column = 0; column < columns; column++)
                if (back) to[(long)column * toStride + row] = from[row * columns + column];
                else to[row * columns + column] = from[(long)column * fromStride + row];
    }

    private static bool InTiles(LaneLayout layout) => layout.RowsPerBlock % layout.Lanes == 0 && layout.DState % Tile == 0;

    private static void FromLanes(LaneLayout layout, float* own, int first, int count, float* staging)
    {
        int n = layout.DState;
        if (!InTiles(layout))
        {
            for (int row = 0; row < count; row++)
                for (int column = 0; column < n; column++) staging[(long)row * n + column] = own[layout.Index(first + row, column)];
            return;
        }
        for (int row = 0; row < count; row += Tile)
        {
            float* group = own + layout.Index(first + row, 0);
            for (int column = 0; column < n; column += Tile)
                TurnTile(group + (long)column * layout.Lanes, layout.Lanes, staging + (long)row * n + column, n);
        }
    }

    private static void ToLanes(LaneLayout layout, float* staging, int first, int count, float* own)
    {
        int n = layout.DState;
        if (!InTiles(layout))
        {
            for (int row = 0; row < count; row++)
                for (int column = 0; column < n; column++) own[layout.Index(first + row, column)] = staging[(long)row * n + column];
            return;
        }
        for (int row = 0; row < count; row += Tile)
        {
            float* group = own + layout.Index(first + row, 0);
            for (int column = 0; column < n; column += Tile)
                TurnTile(staging + (long)row * n + column, n, group + (long)column * layout.Lanes, layout.Lanes);
        }
    }

    private static void TurnTile(float* from, int fromStride, float* to, int toStride)
    {
        int* p = (int*)from;
        Transpose.Store(
            Vector256.Load(p), Vector256.Load(p + fromStride), Vector256.Load(p + 2 * fromStride), Vector256.Load(p + 3 * fromStride),
            Vector256.Load(p + 4 * fromStride), Vector256.Load(p + 5 * fromStride), Vector256.Load(p + 6 * fromStride), Vector256.Load(p + 7 * fromStride),
            (int*)to, toStride);
    }
}
