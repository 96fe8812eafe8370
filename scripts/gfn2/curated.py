"""Hand-picked molecules, as SMILES. `RELEVANT` comes first in every data set and gets more frames."""


def _smiles(table: str) -> list[str]:
    return table.split()


PEPTIDES = _smiles("""
NC=O CNC=O CC(N)=O CC(=O)NC CCC(N)=O CCC(=O)NC CC(=O)NCC CN(C)C=O CC(=O)N(C)C CNC(=O)NC NCC(N)=O NCC=O CC(N)C=O
CC(=O)NCC(=O)NC CC(=O)NC(C)C(=O)NC CC(=O)NCC(N)=O CC(=O)NC(C)C(N)=O CC(=O)NCC=O CC(=O)NC(C)C=O O=CNCC=O O=CNC(C)C=O
O=CNCC(N)=O O=CNC(C)C(N)=O O=CNC(C)C(=O)NC CC(=O)NCC(=O)O CC(=O)NC(C)C(=O)O NCC(=O)NCC(=O)O CC(N)C(=O)NCC(=O)O
NCC(=O)NC(C)C(=O)O NCC(=O)O CC(N)C(=O)O CC(N)C(N)=O CC(N)C(=O)NC NCC(=O)NC CC(NC=O)C(=O)O NCC(=O)NCC(N)=O
CC(N)C(=O)NCC(N)=O CC(=O)NC(C)C O=CNC(C)C CC(C)C(N)=O CC(C)C(=O)NC CC(=O)NCC(=O)NCC=O O=CNCC(=O)NCC=O
O=CNCC(=O)NCC(N)=O O=CNC(C)C(=O)NCC=O O=CNCC(=O)NC(C)C=O NC(=O)CNC(=O)CNC=O CC(NC=O)C(=O)NCC(N)=O
""")

FLAVIN_PIECES = _smiles("""
Cc1ccccc1C Cc1ccc(N)cc1C Cc1cc(N)c(N)cc1C Cc1ccc(NC)cc1C Cc1ccccc1 c1ccccc1 Nc1ccccc1N CNc1ccccc1N CNc1ccccc1
O=c1cc[nH]c(=O)[nH]1 Cc1c[nH]c(=O)[nH]c1=O Cn1ccc(=O)[nH]c1=O Cn1ccc(=O)n(C)c1=O Nc1cc(=O)[nH]c(=O)[nH]1
Nc1c[nH]c(=O)[nH]c1=O Nc1c(N)[nH]c(=O)[nH]c1=O CNc1cc(=O)[nH]c(=O)[nH]1 N=C1C=NC(=O)NC1=O Nc1ccnc(=O)[nH]1
Cn1ccc(N)nc1=O O=c1[nH]c(=O)c2nccnc2[nH]1 O=c1[nH]c(=O)c2ncc[nH]c-2n1 Cn1ccnc2c(=O)[nH]c(=O)nc1-2
O=c1[nH]c(=O)c2nc3ccccc3nc2[nH]1 O=c1nc2[nH]c3ccccc3nc-2c(=O)[nH]1 Cc1cnc2c(=O)[nH]c(=O)[nH]c2n1
Cc1nc2c(=O)[nH]c(=O)nc-2n(C)c1 Cc1nc2c(=O)[nH]c(=O)[nH]c2nc1C c1ccc2nccnc2c1 Cc1cc2nccnc2cc1C O=c1cnc2ccccc2[nH]1
Cn1c(=O)cnc2ccccc21 Cc1cc2ncc(=O)[nH]c2cc1C O=c1[nH]c2ccccc2[nH]c1=O c1cnc2ncncc2n1 O=c1[nH]cnc2nccnc12
Nc1nc2nccnc2c(=O)[nH]1 Cc1cc2c(cc1C)N=CC=N2 CN1C=CN=C2C(=O)NC(=O)N=C12 c1ccc2c(c1)NC=CN2 Cn1cc(C=N)nc-1N=C
CN1C(=O)NC(=O)C(=N)C1=N CN=C1NC(=O)NC(=O)C1=N O=C1NC(=O)C(=Nc2ccccc2)C=N1 O=C1NC(=O)C=CN1 O=C1NC(=O)C=N1
O=C1C=NC(=O)N1 CN1C=CN=CC1=N O=C1CNC(=O)NC1=O O=C1CC(=O)NC(=O)N1 O=C1NC(=O)C(=O)N1 CN(C=N)c1ccccc1N=C
c1ccc2nc3ccccc3nc2c1
""")

POLYOLS = _smiles("""
OCCO OCC(O)CO OCC(O)C(O)CO OCC(O)C(O)C(O)CO CCO CC(O)CO CC(O)C(C)O CC(O)C(O)CO CC(O)C(O)C(O)C NCCO NCC(O)CO
NCC(O)C(O)CO NCC(O)C(O)C(O)C CNCCO CNCC(O)CO CNCC(O)C(O)CO CN(C)CC(O)CO C=NCC(O)CO C=NCC(O)C(O)CO O=CNCC(O)CO
O=CNCC(O)C(O)CO OCC=O OCC(O)C=O OCC(O)C(O)C=O OCC(O)C(O)C(O)C=O OCC(=O)CO OCC(O)C(=O)CO OCC1OC(O)C(O)C1O OCC1OC(O)CC1O
OCC1OCCC1O OC1COCC1O OC1COC(O)C1O OC1COC(O)C(O)C1O OCC1OCC(O)C1O Cn1ccc(=O)[nH]c1=O OCCn1ccc(=O)[nH]c1=O
OCC(O)Cn1ccc(=O)[nH]c1=O OCCn1ccccc1=O OCCn1ccnc1 OCC(O)Cn1ccnc1 OCCN1C=CN=CC1=O OCCNc1ccccc1 OCCN1C=CC(=O)NC1=O
OCCC(O)CO COCC(O)CO COCCO OCCOCCO
""")

WATER = ["O", "O.O", "O.O.O", "O.O.O.O", "O.O.O.O.O", "O.O.O.O.O.O", "O.O.O.O.O.O.O"]

RELEVANT = PEPTIDES + FLAVIN_PIECES + POLYOLS + WATER

SMALL = _smiles("""
[H][H] N#N [C-]#[O+] O=C=O C#N C=O OO NN [N-]=[N+]=O N C CC C=C C#C CO CN OC=O COC CNC CC=O CC#N C=CC CC#C CCC C=C=C
C=C=O O=C=C=C=O N=C=O CN=C=O N=C=N N#CN NC(=O)O O=C(O)O NO CON CNO N=N CN=N CN=NC C=NN C=NO C=N CC=N CN=C CN(C)C
C[N+](=O)[O-] [O-][N+](=O)C=C O=NO CN=O CON=O [C-]#[N+]C COOC COO O=CC=O CC(=O)C=O CC(=O)C(C)=O N#CC#N C#CC#C C=CC=C
C=CC#C C=CC#N C=CC=O C#CC=O C#CC#N O=CO CC(=O)O CCC(=O)O COC=O CC(=O)OC CCOC=O CCOC(C)=O COC(=O)OC NC(N)=O CNC(N)=O
CN(C)C(N)=O NC(=O)C(N)=O NC(N)=N CN=C(N)N CC(=N)N NC=N CNC=N COC(N)=O CC(=O)OC(C)=O CC(=O)NC(C)=O O=CNC=O O=COC=O
OC(=O)C(=O)O CC(=O)C(=O)O OCC(=O)O CC(O)C(=O)O OC(=O)CC(=O)O OC(=O)C=CC(=O)O OC(=O)CCC(=O)O NC(=O)CC(N)=O
NC(=O)CCC(N)=O CC(C)O CCCO CCCCO CC(C)(C)O CC(C)CO CCC(C)O OC=C CC(O)=C NC=C CC(N)=C C=CN(C)C COC=C CC(C)C CCCC CCCCC
CC(C)(C)C CCC(C)C CCCCCC CCN CCCN CC(C)N CC(C)(C)N CCCCN NCCN NCCCN CNCCN CNCCNC CN(C)CCO OCCCO OCCCCO COCOC CC1OCCO1
COC(C)OC CCOCC CCOC CCOCCO CC(C)=O CCC(C)=O CCC=O CC(C)C=O CCCC=O CC(=O)CC(C)=O CC(=O)C=C(C)O O=CC=CO O=CCC=O
CC(=O)C=C CC=CC=O C=CC(N)=O C=CC(=O)O C=C(C)C(=O)O CC=CC C=C(C)C CC#CC CC#CCO C#CCO C#CCN NCC#N OCC#N CC(O)C#N CCC#N
CCCC#N N#CCC#N CC(C)C#N NC(=O)C#N CC(C)=NO CC=NO CC(C)=NN CNN CN(C)N CNNC CC(=O)NN NC(=O)NN NNC=O NNC(=O)NN ONC=O
CC(=O)NO CN(C)O CNOC CON=C CCON
""")

RINGS = _smiles("""
C1CC1 C1CO1 C1CN1 C1=CC1 C1CCC1 C1COC1 C1CNC1 O=C1CCC1 O=C1CCO1 O=C1CCN1 C1=CCC1 C1CCCC1 C1CCOC1 C1CCNC1 C1COCO1
C1CNCN1 C1COCN1 C1CNCCN1 C1COCCO1 C1COCCN1 C1CCOCC1 C1CCNCC1 C1CCCCC1 C1=CCCC1 C1=CCCCC1 C1=CC=CC1 C1=CCC=CC1
C1=CC=CCC1 C1CCCCCC1 C1CCCNCC1 C1CCCOCC1 C1=CCNC1 C1=CCOC1 C1=COCC1 C1=CNCC1 C1=NCCC1 C1=NCCN1 C1=NCCO1 C1=NOCC1
C1=NNCC1 C1CNNC1 C1CONC1 C1=CCNCC1 C1=CCOCC1 C1=COCCC1 C1=CNCCC1 C1=NCCCN1 C1=NCCCO1 C1=NCCCC1 C1COCOC1 C1COCNC1
C1CNCNC1 C1=COC=CC1 C1=CNC=CC1 C1=COC=CO1 C1=CNC=CN1 C1=CNC=CO1 C1CC=NN1 C1=CC=COC=C1 C1=CC=CNC=C1 C1=CC=CCC=C1
C1=CC=CC=CC=C1 c1ccoc1 c1cc[nH]c1 c1cocn1 c1cnoc1 c1c[nH]cn1 c1cn[nH]c1 c1nnco1 c1ncon1 c1nc[nH]n1 c1cn[nH]n1
c1nn[nH]n1 c1nonc1 c1cnon1 c1ccncc1 c1ccnnc1 c1cncnc1 c1cnccn1 c1ncncn1 c1cnncn1 c1cnnnc1 c1nncnn1 c1ccc2[nH]ccc2c1
c1ccc2occc2c1 c1ccc2[nH]cnc2c1 c1ccc2ocnc2c1 c1ccc2[nH]ncc2c1 c1ccc2oncc2c1 c1ccc2nonc2c1 c1ccc2[nH]nnc2c1
c1cnc2[nH]ccc2c1 c1cnc2[nH]cnc2c1 c1ncc2nc[nH]c2n1 c1ncc2[nH]ccc2n1 c1ccn2ccnc2c1 c1ccn2cccc2c1 c1ccn2nccc2c1
c1cnc2ccnn2c1 c1ccc2ncccc2c1 c1ccc2cnccc2c1 c1ccc2ncncc2c1 c1ccc2nnccc2c1 c1ccc2cnncc2c1 c1cnc2ncccc2c1 c1cnc2cccnc2c1
c1cnc2cnccc2c1 c1ccc2ccccc2c1 c1ccc2cc[nH]c2c1 c1ccc2c(c1)OCO2 c1ccc2c(c1)OCCO2 c1ccc2c(c1)CCO2 c1ccc2c(c1)CCN2
c1ccc2c(c1)CNC2 c1ccc2c(c1)COC2 c1ccc2c(c1)CC2 c1ccc2c(c1)CCC2 c1ccc2c(c1)NCCO2 c1ccc2c(c1)OCC2 c1cc2ccoc2o1
c1cc2cc[nH]c2[nH]1 c1cc2[nH]ccc2[nH]1 c1cc2occc2o1 O=c1cc[nH]cc1 O=c1cccc[nH]1 O=c1ccocc1 O=c1cccco1 O=c1cc[nH]cn1
O=c1[nH]c(=O)[nH]c(=O)[nH]1 O=C1C=CC(=O)C=C1 O=C1C=CC=CC1=O O=C1C=CC(=O)N1 O=C1CCC(=O)N1 O=C1CCCN1 O=C1CCCCN1
O=C1CCCO1 O=C1CCCCO1 O=C1CCCC1 O=C1CCCCC1 O=C1C=CCC1 O=C1C=CCCC1 O=C1NCCN1 O=C1OCCO1 O=C1OCCN1 O=C1CNC(=O)N1
O=C1CNC(=O)CN1 O=C1C=CO1 O=C1C=CCO1 O=C1C=CC(=O)O1 O=C1CCC(=O)O1 O=C1COC(=O)CO1 O=C1C=COC=C1 O=C1CCOCC1 O=C1CCNCC1
O=C1CNCCN1 O=C1COCCN1 O=C1CC=CC1 Nc1ncnc2[nH]cnc12 O=c1[nH]cnc2nc[nH]c12 O=c1[nH]c(=O)c2nc[nH]c2[nH]1
Nc1nc2[nH]cnc2c(=O)[nH]1 O=c1cc[nH]c2ccccc12 O=c1ccoc2ccccc12 O=c1ccc2ccccc2o1 O=c1ccc2ccccc2[nH]1 O=c1cnc2ccccc2[nH]1
O=c1[nH]cnc2ccccc12 O=c1[nH]ncc2ccccc12 O=c1[nH]c2ccccc2[nH]1 O=c1[nH]c2ccccc2o1 O=C1Cc2ccccc2N1 O=C1NC(=O)c2ccccc21
O=C1OCc2ccccc21 O=C1NCc2ccccc21 C1CC2CC1C2 C1CC2CCC1C2 C1CC2CC2C1 C1CC2CC12 C1CC2OC2C1 C1CCC2OC2C1 C1CC2COC1C2
C1CC2CNC1C2 C1CC2CCC1O2 C1CC2CCC1N2 C1CC12CC2 C1CCC2(C1)CC2 C1CC2(C1)CC2 C1CC2(C1)CO2 C1CN2CCC1CC2 C1CN2CCN1CC2
C1CN2CCCC2=N1 C1CC2CCC1CC2 C1CC2C=CC1C2 C1=CC2CC1C=C2 C1CC2CC1CO2 C1CC2CCCC2C1 C12C3C4C1C5C2C3C45 C1C2CC1C2
C1OC2COC1C2 C1CC2OCCC2O1 C1CC2OCOC2C1 C1OCC2OC12 C1CC2NC2C1 C1CC2CC(C1)O2 O=C1CC2CCC1C2 C1CC2=NCCN2C1 c1cc2n(c1)CCC2
c1cn2c(n1)CCC2 c1cn2c(n1)CC2 c1cc2c([nH]1)CCC2 c1cc2c(o1)CCC2 c1cc2c(nc1)CCC2 c1ncc2c(n1)CCC2 c1ncc2c(n1)CNC2
c1ncc2c(n1)COC2 c1cnc2c(c1)OCC2 c1cnc2c(c1)OCO2 c1cnc2c(n1)CCC2 c1ccc(-c2ccccc2)cc1 c1ccc(-c2ccccn2)cc1
c1ccc(-c2ccc[nH]2)cc1 c1ccc(-c2ccco2)cc1 c1ccc(-c2ncc[nH]2)cc1 c1coc(-c2ccco2)c1 c1ccnc(-c2ccccn2)c1 c1ccc(C2CC2)cc1
c1ccc(C2CO2)cc1 c1ccc(N2CC2)cc1 C1CC1C1CC1 C1CCC(C2CC2)C1 c1ccc(OC=C)cc1 c1coc(C2CC2)c1
""")

SUBSTITUTED_RINGS = _smiles("""
Oc1ccccc1 Nc1ccccc1 COc1ccccc1 O=Cc1ccccc1 CC(=O)c1ccccc1 NC(=O)c1ccccc1 OC(=O)c1ccccc1 N#Cc1ccccc1
O=[N+]([O-])c1ccccc1 C=Cc1ccccc1 C#Cc1ccccc1 OCc1ccccc1 NCc1ccccc1 CCc1ccccc1 CN(C)c1ccccc1 CC(=O)Nc1ccccc1
CC(=O)Oc1ccccc1 COC(=O)c1ccccc1 O=CNc1ccccc1 Oc1ccccc1O Oc1ccc(O)cc1 Oc1cccc(O)c1 Nc1ccc(O)cc1 Nc1ccc(N)cc1
Cc1ccc(C)cc1 Cc1cccc(C)c1 Cc1cc(C)cc(C)c1 Cc1ccc(O)cc1 Cc1cc(O)ccc1C Cc1cc(O)c(O)cc1C O=Cc1ccccc1O OC(=O)c1ccccc1O
NC(=O)c1ccccc1O COc1ccccc1O COc1ccc(O)cc1 NC(=O)c1cccnc1 OC(=O)c1cccnc1 Cc1ccccn1 Cc1ccncc1 Cc1cccnc1 Nc1ccccn1
Nc1ccncc1 Oc1cccnc1 Cc1ncc[nH]1 Cc1c[nH]cn1 Cn1ccnc1 Cn1cccc1 Cc1ccc[nH]1 Cc1ccco1 O=Cc1ccco1 OCc1ccco1 Cn1ccc2ccccc21
Cc1c[nH]c2ccccc12 Cc1nc2ccccc2[nH]1 Cn1cnc2ccccc21 Cc1cnc2ccccc2n1 Cc1cc2nc[nH]c2cc1C Cn1cnc2c(N)ncnc21
Cn1cnc2c(=O)[nH]cnc21 Cn1cnc2c1c(=O)[nH]c(=O)n2C Nc1ncnc2nccnc12 Nc1ccnc(N)n1 Nc1nc(N)nc(N)n1 Cc1cc(C)nc(N)n1
Cc1cc(=O)[nH]c(N)n1 Nc1nccc(=O)[nH]1 CNc1ccnc(=O)[nH]1 CC1=CNC(=O)NC1=O O=C(O)c1cc(=O)[nH]c(=O)[nH]1
O=Cc1c[nH]c(=O)[nH]c1=O OCc1c[nH]c(=O)[nH]c1=O O=c1[nH]cc(CO)c(=O)[nH]1 NCCc1c[nH]cn1 OCCc1ccccc1 NCCc1ccccc1
NC(=O)Cc1ccccc1 OC(=O)Cc1ccccc1 OCC(O)c1ccccc1 NC(=O)C1CCCN1 OC(=O)C1CCCN1 CC(=O)N1CCCC1 O=CN1CCCC1 CN1CCCC1=O
CN1CCCC1 CN1CCNCC1 CN1CCOCC1 CN1CCCCC1 OC1CCCCC1 OC1CCCC1O OC1CCCCC1O OC1C(O)C(O)C1O OC1CCOCC1 CC1CCCO1 CC1CO1 OCC1CO1
CC1CC1 NC1CC1 OC1CC1 O=CC1CC1 NC(=O)C1CC1 OC(=O)C1CC1 N#CC1CC1 O=C1CC(O)C(O)O1 OCC1OC(=O)C(O)C1O OC1COC(=O)C1O
OC1CNCC1O OCC1NCC(O)C1O CC1OC(O)C(O)C1O CC1OCC(O)C1O
""")

CURATED = SMALL + RINGS + SUBSTITUTED_RINGS

# what a chain of alanines is made of: the backbone around one or two residues, and hydrogen bonds between amides
RESIDUES = _smiles("""
CC(=O)NC(C)C(=O)NC CC(=O)NC(C)C(N)=O O=CNC(C)C(=O)NC O=CNC(C)C(N)=O CC(=O)NCC(=O)NC O=CNC(C)C(=O)NCC=O
CC(NC=O)C(=O)NCC(N)=O CC(=O)NCC(=O)NCC(N)=O O=CNCC(=O)NC(C)C(N)=O O=CNCC(=O)NC(C)C=O
CC(N)C(=O)NC(C)C=O NCC(=O)NCC(=O)NCC=O O=CNC(C)C(=O)NCC CC(=O)NC(C)C(=O)O
""")
AMIDE_COMPLEXES = _smiles("""
NC=O.NC=O NC=O.NC=O.NC=O CNC=O.CNC=O CNC=O.NC=O CC(N)=O.CC(N)=O CC(N)=O.NC=O CC(=O)NC.NC=O CC(=O)NC.CNC=O
CC(=O)NC.CC(N)=O CC(=O)NC.O CC(=O)NC.O.O
""")

# hydrogen bridges over which a proton must not go: hydroxyls to the nitrogens and oxygens of a flavin's ring and chain
BRIDGES = _smiles("""
CO.C=NC CO.CN=CN CO.NC=N CO.c1ccncc1 CO.c1ncccn1 CO.c1cncnc1 CO.Cn1ccnc1 O.c1ncccn1 O.NC=N CO.NC=O CO.CNC=O CO.CC(C)=O
OCCO.CO OCCO.NC=N CO.O=c1cc[nH]c(=O)[nH]1 CO.Cn1ccc(N)nc1=O CO.CN=C1NC(=O)NC(=O)C1=N CO.N=C1C=NC(=O)NC1=O
CO.O=C1NC(=O)C=N1 NC=O.c1ccncc1 NC=O.NC=N OCCn1ccnc2c(=O)[nH]c(=O)nc1-2 OCCN1C=CN=CC1=N OCCN=CN OCCCN=C OCCCN=CN
OCCc1ccccn1 OCC(O)CN=C OCC(O)CO OCCC=O CCC(O)CO
""")

# partners of non-bonded complexes; the closed-shell molecules whose approach matters most come first
WALL_PARTNERS = ["O", "C", "N", "[C-]#[O+]", "N#N"]
PARTNERS = _smiles("""
O N C [C-]#[O+] N#N [H][H] O=C=O CO C=O OC=O NC=O C#N CN COC CC(=O)O CC(N)=O CNC=O CC(=O)NC C=C C#C CC CCO CC=O CC#N
CC(C)=O NC(N)=O COC=O CN(C)C=O OCCO OCC(O)CO OO NN c1ccoc1 c1cc[nH]c1 c1c[nH]cn1 c1ccncc1 c1cncnc1 c1cnccn1
O=c1cc[nH]c(=O)[nH]1 Nc1ccnc(=O)[nH]1 c1ccccc1 Cc1ccccc1 O=c1cccc[nH]1 NCC(=O)O NC=N C1CO1 C1CCOC1 Cn1ccc(=O)[nH]c1=O
Nc1ccccc1 Oc1ccccc1
""")

# rings whose CH and CH2 are exchanged for N, NH and O
RING_PARENTS = _smiles("""
c1ccccc1 c1ccc2ccccc2c1 c1ccc2[nH]ccc2c1 C1CCCC1 C1CCCCC1 C1=CCCCC1 C1=CCCC1 C1CCC2CC2C1 C1CC2CCC1C2 c1ccc2c(c1)CCC2
C1CCC2(CC1)CC2 C1CC2CC1C2 C1CC2CCCC2C1 C1CC2CC2C1
""")

GROWTH_CORES = _smiles("""
C CC CCC CCCC CC(C)C C=C C=CC C#C CC=O CC(C)=O NC=O CC(N)=O CC(=O)NC CNC=O CO CCO COC CN CNC CC#N C=N CC(=O)O COC=O
OC=O NC(N)=O NCC(N)=O OCCO CC=NC C=NN
""")

SUBSTITUENTS = _smiles("""
C C O O N CC C=O C(N)=O C(=O)O C#N OC CO NC C(C)=O C=C C#C NC=O NC(C)=O CN C(=O)NC C(=O)OC OC=O N(C)C C=N C1CC1
OC(C)=O CCO CC#N N(C)C=O [N+](=O)[O-]
""")

# must never be in the data: riboflavin and Ac-Ala10-NH2
FORBIDDEN = [
    "Cc1cc2nc3c(=O)[nH]c(=O)nc-3n(CC(O)C(O)C(O)CO)c2cc1C",
    "CC(=O)" + "NC(C)C(=O)" * 10 + "N",
]
