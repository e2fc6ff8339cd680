package match

import (
	"shieldwall/internal/match/compare"
	"shieldwall/internal/match/literal"
	"shieldwall/internal/match/program"
	"shieldwall/internal/sigma"
)

// commonplaces are values that any Windows or Linux machine writes all day. They tell the rare literals of
// rules from the common ones before a single event was seen.
var commonplaces = []string{
	`C:\Windows\System32\svchost.exe`, `C:\WINDOWS\system32\svchost.exe -k netsvcs -p -s Schedule`, `C:\Windows\explorer.exe`,
	`C:\Windows\System32\services.exe`, `C:\Windows\System32\lsass.exe`, `C:\Windows\System32\wbem\WmiPrvSE.exe`,
	`C:\Windows\System32\cmd.exe`, `"C:\Windows\system32\cmd.exe" /c `, `C:\Windows\System32\conhost.exe 0xffffffff -ForceV1`,
	`C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, `powershell.exe -NoProfile -ExecutionPolicy Bypass -Command `,
	`C:\Windows\SysWOW64\rundll32.exe`, `C:\Windows\System32\taskhostw.exe`, `C:\Windows\System32\ntdll.dll`, `C:\Windows\System32\kernel32.dll`,
	`C:\Program Files\Windows Defender\MsMpEng.exe`, `C:\Program Files (x86)\Google\Chrome\Application\chrome.exe`, `C:\Program Files\Common Files\`,
	`C:\ProgramData\Microsoft\Windows\Start Menu\Programs\`, `C:\Users\user\AppData\Local\Temp\`, `C:\Users\user\AppData\Roaming\Microsoft\Windows\`,
	`C:\Users\Administrator\Desktop\`, `C:\Windows\Temp\`, `C:\Windows\assembly\NativeImages_v4.0.30319_64\System\`, `C:\Windows\Microsoft.NET\Framework64\`,
	`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\`, `HKLM\System\CurrentControlSet\Services\Tcpip\Parameters\`, `HKU\S-1-5-21-1000\Software\Microsoft\Windows\CurrentVersion\Explorer\`,
	`HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\`, `HKLM\SOFTWARE\Classes\`, `HKLM\SOFTWARE\WOW6432Node\`, `\REGISTRY\MACHINE\SYSTEM\`,
	`Microsoft Corporation`, `Microsoft® Windows® Operating System`, `NT AUTHORITY\SYSTEM`, `NT AUTHORITY\NETWORK SERVICE`, `Microsoft Windows`,
	`Microsoft-Windows-Sysmon`, `Microsoft-Windows-Security-Auditing`, `Microsoft-Windows-PowerShell`, `System.Management.Automation`,
	`MD5=00000000,SHA256=00000000,IMPHASH=00000000000000000000000000000000`, `SHA1=`, `10.0.17763.1 (WinBuild.160101.0800)`,
	`function param( [string] ) if ( -eq $null ) { return } else { throw } foreach ($item in $list) { Write-Verbose }`,
	`Get-Command Import-Module Set-StrictMode Microsoft.PowerShell.Utility Write-Host New-Object Write-Output `,
	`{00000000-0000-0000-0000-000000000000}`, `0x00000001`, `DWORD (0x00000000)`, `Binary Data`, `SetValue`, `CreateKey`, `true`, `false`, `High`, `System`,
	`192.168.0.10`, `10.0.0.1`, `127.0.0.1`, `tcp`, `https://www.microsoft.com/`, `http://localhost/`, `.com`, `.local`, `.exe`, `.dll`, `.tmp`, `.log`,
	`/usr/bin/`, `/bin/sh -c `, `/bin/bash`, `/etc/`, `/var/log/`, `/home/user/`, `/tmp/`, `/usr/lib/x86_64-linux-gnu/`, `root`,
	`Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36`,
}

func newModel() *literal.Model {
	m := new(literal.Model)
	for _, text := range commonplaces {
		m.Add(compare.AppendFold(nil, text))
	}
	return m
}

// compile makes a segment.
func compile(rules []*liveRule, shared *program.Shared, between func()) *segment {
	detections := make([]*sigma.Detection, len(rules))
	for i, r := range rules {
		detections[i] = r.detection
	}
	p, err := program.New(detections, shared, between)
	if err != nil {
		panic("match: a rule that CompileSigma took does not compile: " + err.Error())
	}
	if p.Keywords() {
		shared.Names.WantRaw()
	}
	out := &segment{program: p, rules: rules}
	for _, r := range rules {
		out.choice.Add(r.shown...)
	}
	return out
}
