// The page's style sheet: one column, tabular figures, light, dark and print.
#include "report/sections.hpp"

namespace seawall::report {

std::string_view style_sheet() {
  return R"CSS(
:root{color-scheme:light dark;--paper:#fbfbf9;--ink:#1d2330;--soft:#4b5362;--muted:#6a7180;
--rule:#dcdfe4;--wash:#f1f2ef;
--blue:#0072B2;--vermillion:#C85200;--green:#00855F;--purple:#B0568A;--orange:#B97F00;
--sky:#2E93CC;--link:#005a8e}
@media(prefers-color-scheme:dark){:root{--paper:#14171d;--ink:#e3e6ec;--soft:#b7bdc9;
--muted:#969eae;--rule:#333944;--wash:#1c2028;
--blue:#57aee6;--vermillion:#f08a4b;--green:#3cc79b;--purple:#dd9cc2;--orange:#e6b23c;
--sky:#8fd0f5;--link:#86c5ef}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,header,footer{max-width:74rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:3.2rem}
h1{font-size:2rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:.1rem 0 .5rem}
h2{font-size:1.32rem;line-height:1.3;font-weight:650;letter-spacing:-.008em;margin:0 0 .5rem}
h3{font-size:1.02rem;font-weight:650;margin:2rem 0 .5rem}
p{margin:.5rem 0;max-width:46rem}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
code{font:.82em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
section{border-top:1px solid var(--rule);margin-top:3rem;padding-top:1.6rem;
scroll-margin-top:1rem}
.kicker,.note,.made{color:var(--muted);font-size:.86rem}
.lead{color:var(--soft)}
nav{margin:1.6rem 0 0;font-size:.88rem;columns:3 15rem;column-gap:2rem}
nav a{display:block;padding:.1rem 0;break-inside:avoid}
.alert{border-left:3px solid var(--vermillion);background:var(--wash);padding:.7rem 1rem;
margin:1.4rem 0;max-width:none}
.headline{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));
gap:1.1rem 1.5rem;margin:1.4rem 0 .6rem}
.headline div{border-top:2px solid var(--ink);padding-top:.5rem}
.headline b{display:block;font-size:1.9rem;line-height:1.1;font-weight:620;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}
.headline b i{font-size:1rem;font-style:normal;font-weight:400;color:var(--muted);
margin-left:.15rem}
.headline small{display:block;color:var(--muted);font-variant-numeric:tabular-nums}
.headline span{display:block;font-size:.86rem;line-height:1.35;color:var(--soft);
margin-top:.25rem}
.real{list-style:none;padding:0;margin:0}
.real li{margin:.9rem 0}.real a{font-weight:600}.real p{margin:.1rem 0}
.wide{overflow-x:auto;margin:.9rem 0}
table{border-collapse:collapse;font-size:.86rem;line-height:1.35;
font-variant-numeric:tabular-nums lining-nums}
th,td{padding:.36rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}
thead th{color:var(--muted);font-weight:500;border-bottom:1px solid var(--muted);
vertical-align:bottom}
tbody th{font-weight:500}
code.h{white-space:nowrap}
.n{text-align:right;white-space:nowrap}
thead .n{white-space:normal}
td small{display:block;color:var(--muted);font-size:.78rem;white-space:nowrap}
.cells td,.cells tbody th{vertical-align:middle}
.cells{width:100%}.cells .main{font-weight:650}.cells .main small{font-weight:400}
.paper{color:var(--soft)}
.plot{width:13.5rem;min-width:11rem}
th.plot{white-space:nowrap;padding-right:.7rem}th.plot span{display:inline-block;width:33.3%;
font-weight:400}
th.plot span:nth-child(2){text-align:center}th.plot span:nth-child(3){text-align:right}
.iv{display:block;width:100%;height:1.85rem;overflow:visible}
.iv .ax{stroke:var(--rule);stroke-width:1;fill:none}
.iv line.us{stroke:var(--blue);stroke-width:2}.iv circle.us{fill:var(--blue)}
.iv line.them{stroke:var(--muted);stroke-width:1}.iv path.them{stroke:var(--muted);
stroke-width:1.1;fill:var(--paper)}
.missing{color:var(--muted);font-style:italic}
.name{white-space:nowrap}
.scaled{display:block;font-size:.76rem;font-weight:400;color:var(--muted)}
.mark{display:block;font-size:.76rem;font-weight:400;color:var(--vermillion);max-width:16rem}
.ties{border-left:3px solid var(--rule);padding-left:.9rem;color:var(--soft)}
.chip{display:inline-block;font-size:.78rem;white-space:nowrap;border:1px solid;
border-radius:1rem;padding:.02rem .55rem;margin-right:.4rem}
.chip.holds{color:var(--green)}.chip.tied{color:var(--muted);border-style:dashed}
.chip.contradicted{color:var(--vermillion);border-width:2px;font-weight:650}
.chip.unknown{border-color:transparent;color:var(--muted)}
.orderings{width:100%}.orderings td:first-child{min-width:13rem;max-width:26rem}
.orderings th[colspan]{padding-top:1.1rem;font-weight:650}
.orderings td small{margin-top:.15rem}
.bad{color:var(--vermillion)}
details{margin:.55rem 0}
summary{cursor:pointer;color:var(--link);font-size:.9rem;width:fit-content;padding:.1rem 0}
summary:hover{text-decoration:underline}
summary:focus-visible,a:focus-visible{outline:2px solid var(--sky);outline-offset:2px}
summary .counts{color:var(--muted);margin-left:.7rem;font-variant-numeric:tabular-nums}
details[open]>summary{margin-bottom:.4rem}
details table{font-size:.8rem}
.hashes{font-size:.85rem;display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;
margin:.3rem 0}
.hashes dt{color:var(--muted);grid-column:1}.hashes dd{margin:0;grid-column:2}
.arena{max-height:92vh;overflow:auto}
.matrix{font-size:.78rem;border-collapse:separate;border-spacing:0}
.matrix th,.matrix td{padding:.2rem .26rem;vertical-align:middle}
.matrix thead th{position:sticky;top:0;background:var(--paper);z-index:2;min-width:2.8rem;
line-height:1.2}
.matrix th:first-child{position:sticky;left:0;background:var(--paper);z-index:1;
white-space:nowrap;padding-right:.8rem}
.matrix thead th:first-child{z-index:3}
.matrix th i{color:var(--blue);font-style:normal;font-size:.6rem;vertical-align:middle}
.matrix .band{color:var(--muted);font-weight:400;padding-top:.8rem;white-space:normal}
.matrix .m{text-align:right;white-space:nowrap}.matrix thead .m{white-space:normal}
.matrix .m b{font-weight:620}
.matrix .m span{color:var(--muted);font-size:.72rem;margin-left:.3rem;padding-left:.3rem;
border-left:1px solid var(--rule)}
.matrix .m i{font-style:normal;display:inline-block;width:.85rem;text-align:right}
.matrix td small{font-size:.68rem}
.matrix .helps{background:color-mix(in srgb,var(--green) 16%,transparent)}
.matrix .harms{background:color-mix(in srgb,var(--vermillion) 18%,transparent)}
.matrix .lost{background:repeating-linear-gradient(135deg,var(--rule) 0 3px,transparent 3px 7px)}
.matrix .helps i,.key.helps{color:var(--green)}.matrix .harms i,.key.harms{color:var(--vermillion)}
.matrix .tied i,.key.tied,.absent{color:var(--muted)}
.absent{font-size:.72rem}
figure{margin:1.6rem 0;break-inside:avoid}
figcaption{font-size:.88rem;color:var(--soft);max-width:46rem}
figcaption b{display:block;color:var(--ink);font-weight:650;font-size:.98rem;margin-bottom:.4rem}
svg.figure{display:block;width:100%;height:auto;color:var(--ink)}
.files{font-size:.8rem}
.samples{width:100%;table-layout:fixed}
.samples th:nth-child(1),.samples td:nth-child(1){width:26%}
.samples th:nth-child(4),.samples td:nth-child(4){width:7.5rem}
.samples td{overflow-wrap:anywhere;white-space:pre-wrap;unicode-bidi:isolate;
font-variant-numeric:tabular-nums}
.samples td:last-child{text-align:right}
.samples th[colspan]{padding-top:1rem;color:var(--soft);font-weight:600}
.samples i{color:var(--muted)}
.samples .f td:nth-child(3){box-shadow:inset 2px 0 var(--vermillion)}
.samples .g td:nth-child(3){box-shadow:inset 2px 0 var(--green)}
.samples .v td{background:var(--wash)}
footer{color:var(--muted);font-size:.86rem;padding-top:2rem;padding-bottom:4rem}
@media(max-width:44rem){main,header,footer{padding:0 1rem}header{padding-top:1.6rem}
h1{font-size:1.55rem}
.samples,.samples tbody,.samples tr,.samples td{display:block;width:auto!important}
.samples thead{display:none}
.samples tr{border-bottom:1px solid var(--rule);padding:.5rem 0}.samples td{border:0;
padding:.1rem 0 .1rem .6rem}
.samples td:nth-child(1){font-weight:600;padding-left:0}.samples td:last-child{text-align:left;
color:var(--muted)}
figure{overflow-x:auto}svg.figure{min-width:34rem}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#222;--muted:#555;--rule:#bbb;--wash:#fff}
body{font-size:10pt}main,header,footer{max-width:none;padding:0}nav,.files{display:none}
section{break-before:auto}
tr,figure,.headline div{break-inside:avoid}h2,h3{break-after:avoid}.wide{overflow:visible}
.arena{max-height:none}.matrix th{position:static!important}
table{font-size:7.6pt}th,td{padding:.2rem .35rem}
.plot{display:none}@page{margin:13mm}details:not([open]){display:none}}
)CSS";
}

}  // namespace seawall::report
