using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace MambaRT.Bench.Kernels;

/// <summary>A column computed from a case's cost and its median time.</summary>
/// <param name="name">Its title.</param>
/// <param name="legend">What it means.</param>
/// <param name="value">From cost, seconds and threads.</param>
/// <param name="format">A format of .NET.</param>
internal sealed class CostColumn(string name, string legend, Func<OpCost, double, int, double> value, string format) : IColumn
{
    public string Id => name;

    public string ColumnName => name;

    public string Legend => legend;

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        if (summary[benchmarkCase]?.ResultStatistics is not { } statistics) return "-";
        int rows = (int)benchmarkCase.Parameters[nameof(OpBench.Rows)], threads = (int)benchmarkCase.Parameters[nameof(OpBench.Threads)];
        OpCost cost = OpCost.Of((string)benchmarkCase.Parameters[nameof(OpBench.Case)], rows);
        return value(cost, statistics.Median / 1e9, threads).ToString(format, CultureInfo.InvariantCulture);
    }
}
