"""SHA-256 of the files of split 01 of revised MD17 (CC0), as published at github.com/andersx/rmd17-npz."""

RMD17_SHA256 = {
    "rmd17_aspirin_test_01.npz": "a3c3b61e782d01e6dd649a126004903f7873e8e7ee5034135abfdb8873be711d",
    "rmd17_aspirin_train_01.npz": "d460f0e43a1a9411b55cdcd9cdbeb9466ae62851ac91392516ab88e4ebc68143",
    "rmd17_azobenzene_test_01.npz": "e83c87fe541a95e7349684e47294821ada708a780b59c469d3792588213cfc05",
    "rmd17_azobenzene_train_01.npz": "7a2ce543773f6cb7a2cccecbc37fd479781e27ec2d0bb4e5f9ecff8e404e5857",
    "rmd17_benzene_test_01.npz": "4aad4aa2f5ae6aa78d2d9f5da7cb285c97864cfbdf054b67de12a1429b249534",
    "rmd17_benzene_train_01.npz": "6e69deb5dc8663c2d2461cc50e522c74742acea7b4185da348fc08585a15cdc7",
    "rmd17_ethanol_test_01.npz": "c3594a0f93d5992e02f9eb671392fb2e5021b3fa4f902417886966d1e4f64e1e",
    "rmd17_ethanol_train_01.npz": "096946747b8d9dcfa042b44f8debbd3da387dfe1586b659e3be789cc4927316a",
    "rmd17_malonaldehyde_test_01.npz": "147404574d4fe3204dea7eb3799426d264e36b7900012f27fd2d26a26832fdaf",
    "rmd17_malonaldehyde_train_01.npz": "95723385cdfd7f8446a84cdff607f14901e4c2b3949db7a965147dc5098d8ee1",
    "rmd17_naphthalene_test_01.npz": "80a19bca6aaa5cdf241007d6a7332e7b96a8e6ef362c1badcdb86a574ac3fe06",
    "rmd17_naphthalene_train_01.npz": "940f41110785fb0d3fa5feac68800cf4c68bd05fd55d563d3adacf5247d7688a",
    "rmd17_paracetamol_test_01.npz": "99e09ff10b54c55830c011c0959b643bede0512a89ae5b5b9a11e8abea9b3eaa",
    "rmd17_paracetamol_train_01.npz": "819513d42011a63773ff1baf61b06f9f0884370fbdb6539d6f11fc6cb580a0ba",
    "rmd17_salicylic_test_01.npz": "4a03f66c719d7684f39620b2bae6842613482a86cdd4e6f95115ae4d37f03cc0",
    "rmd17_salicylic_train_01.npz": "9f96d79ec7a66dec666dbba60307c083ede80ecc919e0c9513ad9accfe43b5c0",
    "rmd17_toluene_test_01.npz": "8a658b9bf1b7a5c1abaa03846ee6302725e02bdcd2ab720ef94da0be55625faa",
    "rmd17_toluene_train_01.npz": "24d0642f897a1da1fdc4dbdd0a9c2a7f6082dd88e02954b12896a45a7a5fbac7",
    "rmd17_uracil_test_01.npz": "ceda757f7670d97080ec3c28dfb559aeb8ca54f49e7f0da0682fa1eb5ac00907",
    "rmd17_uracil_train_01.npz": "e1d450430362e3bebdeea96b24501f5e56a5a8af1eb02d50cb763f48b51523cf",
}
