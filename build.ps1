# Thin verbs; each is one dotnet command that can be typed without this file. build.sh has the same verbs.
#   build | test | publish [rid] | pack | bench [options] | clean
# Unverified: no PowerShell was available where this was written; only its verb list is tested.
param([string]$Verb = 'build', [Parameter(ValueFromRemainingArguments)][string[]]$Rest = @())
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot
$rid = if ($Rest.Count -gt 0) { $Rest[0] } else { 'win-x64' }
switch ($Verb) {
  'build'   { dotnet build MambaRT.sln -c Release --tl:off }
  'test'    { dotnet test MambaRT.sln -c Release --tl:off @Rest }
  'publish' { dotnet publish Cli -c Release --tl:off -r $rid -o "artifacts/publish/$rid" }
  'pack'    { dotnet pack MambaRT.sln -c Release --tl:off -o artifacts/packages }
  'bench'   { dotnet run --project Cli -c Release -- bench @Rest }
  'clean'   { dotnet clean MambaRT.sln -c Release --tl:off }
  default   { [Console]::Error.WriteLine("build.ps1: '$Verb' is not a verb; use build, test, publish [rid], pack, bench or clean."); exit 2 }
}
exit $LASTEXITCODE
