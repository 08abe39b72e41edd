"""Papers that the project's own plug-ins and published weights rest on, as BibTeX entries.

They stand here because several plug-ins share them. A plug-in of another package brings its own texts.
"""

from __future__ import annotations

REBECA = """@misc{patron2025personalized,
  author        = {Patron, Gabriel and Xu, Zhiwei and Kapnadak, Ishan and Maia Polo, Felipe},
  title         = {Personalized Image Generation for Recommendations Beyond Catalogs},
  year          = {2025},
  eprint        = {2502.18477},
  archiveprefix = {arXiv},
}"""
FLICKR_AES = """@inproceedings{ren2017personalized,
  author    = {Ren, Jian and Shen, Xiaohui and Lin, Zhe and M{\\v{e}}ch, Radom{\\'i}r and Foran, David J.},
  title     = {Personalized Image Aesthetics},
  booktitle = {Proceedings of the IEEE International Conference on Computer Vision (ICCV)},
  year      = {2017},
}"""
NCF = """@inproceedings{he2017neural,
  author        = {He, Xiangnan and Liao, Lizi and Zhang, Hanwang and Nie, Liqiang and Hu, Xia and Chua, Tat-Seng},
  title         = {Neural Collaborative Filtering},
  booktitle     = {Proceedings of the 26th International Conference on World Wide Web},
  pages         = {173--182},
  year          = {2017},
  eprint        = {1708.05031},
  archiveprefix = {arXiv},
}"""
HPSV2 = """@misc{wu2023human,
  author        = {Wu, Xiaoshi and Hao, Yiming and Sun, Keqiang and Chen, Yixiong and Zhu, Feng and Zhao, Rui and Li,
                   Hongsheng},
  title         = {Human Preference Score v2: A Solid Benchmark for Evaluating Human Preferences of Text-to-Image
                   Synthesis},
  year          = {2023},
  eprint        = {2306.09341},
  archiveprefix = {arXiv},
}"""
LAION_5B = """@misc{schuhmann2022laion,
  author        = {Schuhmann, Christoph and Beaumont, Romain and Vencu, Richard and Gordon, Cade and Wightman, Ross and
                   Cherti, Mehdi and Coombes, Theo and Katta, Aarush and Mullis, Clayton and Wortsman, Mitchell and
                   Schramowski, Patrick and Kundurthy, Srivatsa and Crowson, Katherine and Schmidt, Ludwig and
                   Kaczmarczyk, Robert and Jitsev, Jenia},
  title         = {{LAION-5B}: An open large-scale dataset for training next generation image-text models},
  year          = {2022},
  eprint        = {2210.08402},
  archiveprefix = {arXiv},
}"""
CLIP = """@inproceedings{radford2021learning,
  author        = {Radford, Alec and Kim, Jong Wook and Hallacy, Chris and Ramesh, Aditya and Goh, Gabriel and
                   Agarwal, Sandhini and Sastry, Girish and Askell, Amanda and Mishkin, Pamela and Clark, Jack and
                   Krueger, Gretchen and Sutskever, Ilya},
  title         = {Learning Transferable Visual Models From Natural Language Supervision},
  booktitle     = {International Conference on Machine Learning},
  pages         = {8748--8763},
  year          = {2021},
  eprint        = {2103.00020},
  archiveprefix = {arXiv},
}"""
OPEN_CLIP = """@inproceedings{cherti2023reproducible,
  author        = {Cherti, Mehdi and Beaumont, Romain and Wightman, Ross and Wortsman, Mitchell and Ilharco, Gabriel and
                   Gordon, Cade and Schuhmann, Christoph and Schmidt, Ludwig and Jitsev, Jenia},
  title         = {Reproducible Scaling Laws for Contrastive Language-Image Learning},
  booktitle     = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages         = {2818--2829},
  year          = {2023},
  eprint        = {2212.07143},
  archiveprefix = {arXiv},
}"""
LATENT_DIFFUSION = """@inproceedings{rombach2022high,
  author        = {Rombach, Robin and Blattmann, Andreas and Lorenz, Dominik and Esser, Patrick and Ommer, Bj{\\"o}rn},
  title         = {High-Resolution Image Synthesis with Latent Diffusion Models},
  booktitle     = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages         = {10684--10695},
  year          = {2022},
  eprint        = {2112.10752},
  archiveprefix = {arXiv},
}"""
IP_ADAPTER = """@misc{ye2023ipadapter,
  author        = {Ye, Hu and Zhang, Jun and Liu, Sibo and Han, Xiao and Yang, Wei},
  title         = {{IP-Adapter}: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models},
  year          = {2023},
  eprint        = {2308.06721},
  archiveprefix = {arXiv},
}"""
EFFICIENTNET = """@inproceedings{tan2019efficientnet,
  author        = {Tan, Mingxing and Le, Quoc V.},
  title         = {{EfficientNet}: Rethinking Model Scaling for Convolutional Neural Networks},
  booktitle     = {International Conference on Machine Learning},
  pages         = {6105--6114},
  year          = {2019},
  eprint        = {1905.11946},
  archiveprefix = {arXiv},
}"""
KID = """@inproceedings{binkowski2018demystifying,
  author        = {Bi{\\'n}kowski, Miko{\\l}aj and Sutherland, Danica J. and Arbel, Michael and Gretton, Arthur},
  title         = {Demystifying {MMD} {GANs}},
  booktitle     = {International Conference on Learning Representations},
  year          = {2018},
  eprint        = {1801.01401},
  archiveprefix = {arXiv},
}"""
CMMD = """@inproceedings{jayasumana2024rethinking,
  author        = {Jayasumana, Sadeep and Ramalingam, Srikumar and Veit, Andreas and Glasner, Daniel and
                   Chakrabarti, Ayan and Kumar, Sanjiv},
  title         = {Rethinking {FID}: Towards a Better Evaluation Metric for Image Generation},
  booktitle     = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages         = {9307--9315},
  year          = {2024},
  eprint        = {2401.09603},
  archiveprefix = {arXiv},
}"""
