namespace MambaRT;

/// <summary>Pieces of text that are computed while they are awaited. Asking for one while another is awaited is refused in words, where a compiler's iterator breaks down on a thread of its own.</summary>
/// <param name="pieces">The pieces.</param>
internal sealed class AwaitedPieces(IAsyncEnumerable<string> pieces) : IAsyncEnumerable<string>
{
    public IAsyncEnumerator<string> GetAsyncEnumerator(CancellationToken cancel = default) => new Reader(pieces.GetAsyncEnumerator(cancel));

    private sealed class Reader(IAsyncEnumerator<string> pieces) : IAsyncEnumerator<string>
    {
        private int _awaited;   // 1 while a piece is

        public string Current => pieces.Current;

        public async ValueTask<bool> MoveNextAsync()
        {
            Enter();
            try
            {
                return await pieces.MoveNextAsync().ConfigureAwait(false);
            }
            finally
            {
                Volatile.Write(ref _awaited, 0);
            }
        }

        public ValueTask DisposeAsync()
        {
            Enter();
            Volatile.Write(ref _awaited, 0);
            return pieces.DisposeAsync();
        }

        private void Enter()
        {
            if (Interlocked.Exchange(ref _awaited, 1) == 0) return;
            throw new InvalidOperationException("A piece of the answer is still awaited; await it before asking for the next or leaving.");
        }
    }
}
