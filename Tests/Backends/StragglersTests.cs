using MambaRT.Backends.Cpu;
using Xunit;

namespace MambaRT.Tests;

public sealed class StragglersTests
{
    private const int Waiter = 0, Holder = 1;

    [MachineFact(Needs.MovedThreads)]
    public void Lend_HolderIsNotRun_GetsTheWaitersCoreUntilItsUnitEnds()
    {
        Stragglers stragglers = Stragglers.For(2)!;
        CoreAffinity.CoreSet before = default, lent = default, after = default;
        using ManualResetEventSlim holds = new(), go = new();
        var holder = new Thread(() =>
        {
            stragglers.Enter(Holder);
            before = CoreAffinity.Current;
            stragglers.Begin(Holder);
            holds.Set();
            go.Wait();   // asleep, it is not run, as if another process had its core
            lent = CoreAffinity.Current;
            stragglers.End(Holder);
            after = CoreAffinity.Current;
        });
        stragglers.Enter(Waiter);
        holder.Start();
        holds.Wait();
        try
        {
            Assert.True(SpinWait.SpinUntil(() => stragglers.Lend(Waiter), TimeSpan.FromSeconds(30)), "A holder that sleeps was not moved.");
            Assert.False(stragglers.Lend(Waiter), "It was moved twice.");
            Assert.Equal(before.Count - 1, CoreAffinity.Current.Count);   // the waiter keeps off the core it lent
        }
        finally
        {
            go.Set();
            holder.Join();
            stragglers.Restore(Waiter);
        }

        Assert.Equal(1, lent.Count);
        Assert.Equal(before.ToString(), after.ToString());
        Assert.Equal(before.ToString(), CoreAffinity.Current.ToString());
    }

    [MachineFact(Needs.MovedThreads)]
    public void Lend_HolderIsRun_StaysWhereItIs()
    {
        Stragglers stragglers = Stragglers.For(2)!;
        long rounds = 0;
        bool stop = false;
        string before = "", after = "";
        var holder = new Thread(() =>
        {
            stragglers.Enter(Holder);
            before = CoreAffinity.Current.ToString();
            stragglers.Begin(Holder);
            while (!Volatile.Read(ref stop)) Interlocked.Increment(ref rounds);
            after = CoreAffinity.Current.ToString();
        });
        stragglers.Enter(Waiter);
        holder.Start();
        bool lent = false;
        for (int look = 0; look < 20; look++)
        {
            long seen = Interlocked.Read(ref rounds);
            SpinWait.SpinUntil(() => Interlocked.Read(ref rounds) > seen + 1000);
            lent |= stragglers.Lend(Waiter);
        }
        Volatile.Write(ref stop, true);
        holder.Join();

        Assert.False(lent);
        Assert.Equal(before, after);
    }

    [MachineFact(Needs.MovedThreads)]
    public void Lend_NobodyHoldsAUnit_MovesNobody()
    {
        Stragglers stragglers = Stragglers.For(2)!;
        stragglers.Enter(Waiter);
        stragglers.Enter(Holder);
        stragglers.Begin(Holder);
        stragglers.End(Holder);

        Assert.False(stragglers.Lend(Waiter));
        Assert.False(stragglers.Lend(Waiter));
    }
}
